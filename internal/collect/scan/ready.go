package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// readyTimeout is how long a scanner may take to say that it is there.
const readyTimeout = 10 * time.Second

var _ collect.ReadyScanner = (*Policy)(nil)

// Ready asks all scanners whether they are there. Where mail passes without them it does not ask.
func (p *Policy) Ready(ctx context.Context) error {
	if p.DeliverUnscanned {
		return nil
	}
	if p.Clamd != nil {
		if err := p.Clamd.Ready(ctx); err != nil {
			where := p.Clamd.Address
			if p.Clamd.Network == "unix" {
				where = "unix:" + where
			}
			return notReady("clamd at "+where, err)
		}
	}
	if p.Rspamd != nil {
		err := p.Rspamd.Ready(ctx)
		var password *passwordError
		if errors.As(err, &password) {
			return err
		}
		if err != nil {
			return notReady("rspamd at "+p.Rspamd.where, err)
		}
	}
	return nil
}

func notReady(who string, err error) error {
	return fmt.Errorf(`%s does not answer, start it or let mail pass without it by scan_down = "deliver": %w`, who, err)
}

// Ready asks with the command PING (clamd(8)) whether clamd is there.
func (c *Clamd) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var reply []byte
	if _, err = io.WriteString(conn, "zPING\x00"); err == nil {
		reply, err = io.ReadAll(io.LimitReader(conn, maxClamdReply))
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case string(bytes.TrimRight(reply, "\x00\n")) == "PONG":
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("to PING it says %q", word(string(reply)))
}

// Ready asks with /ping whether rspamd is there, and whether there is a password for it. Any answer will do but one of a proxy that has nobody behind it.
func (r *Rspamd) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+"/ping", http.NoBody)
	if err != nil {
		return err
	}
	if err := r.signIn(ctx, req); err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err
		}
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answered %d to /ping", resp.StatusCode)
	}
	return nil
}

// late says that a scanner gave no answer in time, if it was that.
func late(ctx context.Context, timeout time.Duration, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &lateError{timeout, err}
	}
	return err
}

// A lateError is that of a scanner that gave no answer in time.
type lateError struct {
	timeout time.Duration
	err     error
}

func (e *lateError) Error() string { return fmt.Sprintf("it gave no answer within %v", e.timeout) }
func (e *lateError) Unwrap() error { return e.err }

// A passwordError says that there is no password for rspamd, or that it is the wrong one.
type passwordError struct{ err error }

func (e *passwordError) Error() string {
	return "the password for rspamd (rspamd_password): " + e.err.Error()
}
func (e *passwordError) Unwrap() error { return e.err }

// signIn puts the password into a request, if there is to be one.
func (r *Rspamd) signIn(ctx context.Context, req *http.Request) error {
	if r.password == nil {
		return nil
	}
	password, err := r.password(ctx)
	var temporary *collect.TemporaryError
	switch {
	case err == nil:
		req.Header.Set("Password", password)
		return nil
	case ctx.Err() != nil, errors.As(err, &temporary): // nobody has unlocked the keyring yet
		return &passwordError{err}
	}
	return &collect.PermanentError{Err: &passwordError{err}}
}
