package imapclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	library "github.com/emersion/go-imap/v2/imapclient"
)

// Dial connects and signs in. A refusal is an *Error, a connection that fails a *ConnError; what
// no waiting cures is one of the errors of this package, a *pop3client.PinError or one of crypto/tls.
func Dial(ctx context.Context, opt Options) (*Client, error) {
	opt = opt.withDefaults()
	connecting, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	host, _, err := net.SplitHostPort(opt.Addr)
	if err != nil {
		return nil, &ConnError{"connect", err}
	}
	raw, err := opt.DialContext(connecting, "tcp", opt.Addr)
	if err != nil {
		return nil, &ConnError{"connect", err}
	}
	c, err := dial(connecting, &opt, raw, host)
	if err != nil {
		_ = raw.Close()
		if cause := context.Cause(connecting); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	return c, nil
}

func dial(ctx context.Context, opt *Options, raw net.Conn, host string) (*Client, error) {
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	var conn net.Conn = raw
	var state *tls.ConnectionState
	secure := func() error {
		encrypted, err := opt.startTLS(ctx, raw, host)
		if err != nil {
			return &ConnError{"TLS", err}
		}
		s := encrypted.ConnectionState()
		conn, state = encrypted, &s
		return nil
	}
	if opt.Security == TLS {
		if err := secure(); err != nil {
			return nil, err
		}
	}
	p := newPlain(newGuard(conn, opt))
	p.arm()
	if err := p.greet(); err != nil {
		return nil, err
	}
	if opt.Security == StartTLS {
		if err := p.askTLS(); err != nil {
			return nil, err
		}
		if err := secure(); err != nil {
			return nil, err
		}
		// What the server said in the clear counts for nothing.
		p = newPlain(newGuard(conn, opt))
		p.arm()
	}
	if err := p.capability(); err != nil {
		return nil, err
	}
	if err := p.signIn(opt, state); err != nil {
		return nil, err
	}
	if err := p.capability(); err != nil {
		return nil, err
	}
	p.disarm()
	c := &Client{guard: p.guard, caps: p.caps, news: make(chan struct{}, 1)}
	c.library = library.New(p.handOver(), &library.Options{UnilateralDataHandler: &library.UnilateralDataHandler{
		Mailbox: c.heard,
	}})
	if err := c.library.WaitGreeting(); err != nil {
		_ = c.Close()
		return nil, &ConnError{"greeting", err}
	}
	return c, nil
}

// askTLS switches to TLS (RFC 3501 §6.2.1).
func (p *plain) askTLS() error {
	if err := p.capability(); err != nil {
		return err
	}
	if !p.has("STARTTLS") {
		return ErrNoStartTLS
	}
	if err := p.command("STARTTLS", "STARTTLS"); err != nil {
		return err
	}
	if p.r.Buffered() > 0 {
		return &ConnError{"STARTTLS", fmt.Errorf("%w: something follows its answer in the clear", ErrProtocol)}
	}
	return nil
}
