package pop3server

import (
	"errors"
	"fmt"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// errNoTLS refuses a way of signing in that needs TLS, before any secret is sent.
var errNoTLS = &pop3.Error{Code: pop3.CodeAuth, Text: "this way of signing in needs TLS: use STLS first or connect to the POP3S port"}

// plaintextAllowed reports whether a password may be sent as it is on this connection.
func (c *Conn) plaintextAllowed() bool {
	if c.secure() {
		return true
	}
	switch {
	case c.s.opt.RequireTLS:
		return false
	case c.s.opt.Cleartext == CleartextAlways:
		return true
	}
	return c.s.opt.Cleartext == CleartextLoopback && c.local
}

// allowed reports whether a way of signing in may be used on this connection.
func (c *Conn) allowed(plaintext bool) bool {
	if plaintext {
		return c.plaintextAllowed()
	}
	return c.secure() || !c.s.opt.RequireTLS
}

// signIn ends an attempt to sign in: with err nil it opens the maildrop of id.
func (c *Conn) signIn(mech, user string, id Identity, err error) error {
	if err == nil {
		id.Mech = mech
		err = c.enter(id)
	}
	if h := c.s.opt.Hooks.AuthDone; h != nil {
		h(c, mech, user, err)
	}
	if err != nil {
		return c.notSignedIn(mech, user, err)
	}
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK maildrop has "...)
	b = c.drop.appendDrop(b)
	c.w.Commit(append(b, '\r', '\n'))
	return nil
}

// notSignedIn counts a failure that is the client's.
func (c *Conn) notSignedIn(mech, user string, err error) error {
	if !errors.Is(err, ErrCredentials) && !errors.Is(err, sasl.ErrMalformed) && !pop3.IsAuth(err) {
		return err
	}
	c.s.opt.Logger.Info("POP3 sign-in failed", "conn", c.ID(), "remote", c.remote.String(), "mech", mech, "user", user, "err", err)
	if c.fails++; c.s.opt.MaxFailedAuths >= 0 && c.fails >= c.s.opt.MaxFailedAuths {
		e := *c.wireError(err)
		e.Hangup, e.Err = true, fmt.Errorf("%w: %w", errMisused, err)
		return &e
	}
	return err
}

// enter opens the maildrop of id and goes to TRANSACTION. On an error nothing stays locked (RFC 1939 §4).
func (c *Conn) enter(id Identity) error {
	if id.User == "" {
		return errors.New("pop3server: backend let somebody in and did not say whom")
	}
	if !c.s.perUser.enter(id.User, c.s.opt.MaxConnsPerUser) {
		if h := c.s.opt.Hooks.ConnRefused; h != nil {
			h("account")
		}
		return &pop3.Error{Code: pop3.CodeSysTemp, Text: "too many connections for this account", Hangup: true}
	}
	c.user = id.User
	ok := false
	defer func() {
		if !ok {
			c.release()
		}
	}()
	ctx, cancel := c.backend()
	defer cancel()
	d, err := c.s.opt.Backend.Open(ctx, c, id)
	if err != nil {
		return err
	}
	if d == nil {
		return errors.New("pop3server: backend opened no maildrop")
	}
	c.drop.Maildrop = d
	if c.drop.list, err = d.Scan(ctx); err != nil {
		return err
	}
	if c.drop.list == nil {
		return errors.New("pop3server: backend has no listing")
	}
	c.drop.n, c.drop.octets = c.drop.list.Len(), c.drop.list.Octets()
	if c.drop.n > pop3.MaxNum {
		return &pop3.Error{Code: pop3.CodeSysPerm, Text: "the maildrop has more messages than POP3 can number"}
	}
	c.state, c.bad = pop3.StateTransaction, 0
	c.sum.User, c.sum.Mech, c.sum.Messages = id.User, id.Mech, c.drop.n
	ok = true
	return nil
}

// heard tells the backend how an exchange that used a secret of its ended.
func (c *Conn) heard(mech, user string, err error) error {
	if c.auth.Result == nil {
		return err
	}
	ctx, cancel := c.backend()
	defer cancel()
	if errors.Is(err, sasl.ErrMalformed) {
		err = fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	if err != nil && !errors.Is(err, ErrCredentials) {
		return err
	}
	if refused := c.auth.Result(ctx, mech, user, err); refused != nil {
		return refused
	}
	return err
}
