package pop3client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// userPass is the name of USER and PASS in Options.Mechanisms.
const userPass = "USER"

// Login signs in with the best way that the server offers and Options allow: SCRAM with channel binding, SCRAM,
// CRAM-MD5, PLAIN, LOGIN, USER and PASS, in this order. Whatever shows the password is used under verified TLS only, unless
// Options.AllowCleartext is set; else the error is ErrCleartext, and nothing was sent. Login never uses APOP.
//
// A refusal is a *pop3.Error in the chain: pop3.IsAuth, pop3.IsInUse and pop3.IsTemporary tell what it means. Login tries
// the next way only when the server turned the first one down before it could have looked at a password. Some servers
// hang up on a wrong password: that is a *ConnError around io.ErrUnexpectedEOF. After a refused sign-in with channel
// binding the next try needs a new connection (RFC 9266 §4.1), and is ErrState on this one; the refusal is ErrBinding, too.
func (c *Client) Login(ctx context.Context, user, password string) error {
	if c.signedIn {
		return fmt.Errorf("pop3client: sign in: %w: already signed in", ErrState)
	}
	if c.bound {
		return fmt.Errorf("pop3client: sign in: %w: after a sign-in with channel binding another try needs a new connection", ErrState)
	}
	capa, err := c.capabilities(ctx)
	if err != nil {
		return err
	}
	offered := capa.SASL()
	opt := sasl.ClientOptions{User: user, Password: password, Offered: capa.SASL(), Binding: sasl.ClientBinding(c.tls)}
	for {
		mech, err := c.selectMechanism(capa, offered, opt.Binding != nil)
		if err != nil {
			return err
		}
		if mech == userPass {
			return c.userPass(ctx, user, password)
		}
		client, err := sasl.NewClient(mech, opt)
		if err != nil {
			return fmt.Errorf("pop3client: sign in: %w", err)
		}
		tried, err := c.auth(ctx, client)
		if err == nil {
			return nil
		}
		var refused *pop3.Error
		switch {
		case !errors.As(err, &refused):
			return err
		case c.bound && (refused.Code == "" || pop3.IsAuth(refused)):
			return fmt.Errorf("pop3client: sign in with %s: %w (%w)", mech, err, ErrBinding)
		case tried || refused.Code != "" || c.bound:
			return fmt.Errorf("pop3client: sign in with %s: %w", mech, err)
		}
		offered = slices.DeleteFunc(offered, func(m string) bool { return strings.EqualFold(m, mech) })
	}
}

// selectMechanism returns the best way among those offered, or the error that says why there is none.
func (c *Client) selectMechanism(capa pop3.Capabilities, offered []string, canBind bool) (string, error) {
	allowed := slices.DeleteFunc(slices.Clone(offered), func(m string) bool { return !c.allows(m) })
	opt := sasl.SelectOptions{TLS: c.secure, Binding: canBind, AllowPlaintext: c.opt.AllowCleartext}
	if mech := sasl.SelectMechanism(allowed, opt); mech != "" {
		return mech, nil
	}
	// A server without CAPA has USER and PASS at best. One with it should announce them, but not all do, and under TLS
	// there is no harm in trying.
	user := c.allows(userPass) && (c.noCapa || c.secure || capa.Has(pop3.CapUser))
	if user && (c.secure || c.opt.AllowCleartext) {
		return userPass, nil
	}
	opt.AllowPlaintext = true
	if user || sasl.SelectMechanism(allowed, opt) != "" {
		return "", fmt.Errorf("pop3client: sign in: %w", ErrCleartext)
	}
	return "", fmt.Errorf("pop3client: sign in: %w", ErrNoMechanism)
}

// allows reports whether Options.Mechanisms has the mechanism.
func (c *Client) allows(mech string) bool {
	return len(c.opt.Mechanisms) == 0 || sasl.Offers(c.opt.Mechanisms, mech)
}

// userPass signs in with USER and PASS (RFC 1939 §7), one after the other: the name's answer does not tell whether there
// is such a user.
func (c *Client) userPass(ctx context.Context, user, password string) error {
	if err := c.checkArgument("USER", "user name", user); err != nil {
		return err
	}
	if err := c.checkArgument("PASS", "password", password); err != nil {
		return err
	}
	for _, step := range [...]struct{ verb, arg, shown string }{
		{"USER", user, "USER " + user}, {"PASS", password, "PASS ****"},
	} {
		if err := c.begin(ctx, step.verb); err != nil {
			return err
		}
		c.composeLine(step.verb+" "+step.arg, step.shown)
		if err := c.flush(); err != nil {
			return err
		}
		if _, err := c.status(); err != nil {
			var refused *pop3.Error
			if errors.As(err, &refused) {
				return fmt.Errorf("pop3client: sign in with %s: %w", step.verb, err)
			}
			return err
		}
		c.end()
	}
	c.setSignedIn()
	return c.err
}

// setSignedIn notes that the TRANSACTION state is reached. What the server announces may be another list now.
func (c *Client) setSignedIn() {
	c.signedIn = true
	c.forgetCapa()
}
