package pop3client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// DialURL connects to the server of a POP URL, "pop://user;AUTH=mech@host:port" (RFC 2384), and signs in as it says. A URL
// without a user leaves signing in to the caller.
//
// The URL says nothing about TLS: opt does. Where it has no port, it is that of opt.Security: 995 with the zero Options.
//
// password is asked for the password of u.User at u.Host, once connected. A URL may come from anybody, so it must not
// answer with a password for another host, nor without the user's leave (RFC 2384 §7). If the URL asks for OAUTHBEARER or
// XOAUTH2, the answer is the token.
//
// AUTH=* and no AUTH leave the choice to Login; a mechanism is taken or none, and only if Options.Mechanisms has it;
// AUTH=+APOP is APOP, under verified TLS or with Options.AllowCleartext only, because others could guess passwords by what
// it shows. A URL that is malformed or has a password in it is pop3.ErrURL, and is not shown whole.
func DialURL(ctx context.Context, popURL string, opt *Options, password func(ctx context.Context, u pop3.URL) (string, error)) (*Client, error) {
	u, err := pop3.ParseURL(popURL)
	if err != nil {
		return nil, err
	}
	if u.User != "" && password == nil {
		return nil, errors.New("pop3client: the URL has a user, and there is nobody to ask for the password")
	}
	var o Options
	if opt != nil {
		o = *opt
	}
	port := o.Security.port()
	if u.Port != 0 {
		port = strconv.Itoa(int(u.Port))
	}
	apop := strings.EqualFold(u.Auth, "+APOP")
	switch {
	case u.Auth == "" || u.Auth == "*" || apop:
	case strings.HasPrefix(u.Auth, "+"):
		return nil, fmt.Errorf("pop3client: %w: the URL asks for %q", ErrNoMechanism, u.Auth)
	case len(o.Mechanisms) > 0 && !sasl.Offers(o.Mechanisms, u.Auth):
		return nil, fmt.Errorf("pop3client: %w: the URL asks for %q", ErrNoMechanism, u.Auth)
	default:
		o.Mechanisms = []string{strings.ToUpper(u.Auth)}
	}
	c, err := Dial(ctx, net.JoinHostPort(u.Host, port), &o)
	if err != nil || u.User == "" {
		return c, err
	}
	if err := c.signInAs(ctx, u, apop, password); err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

func (c *Client) signInAs(ctx context.Context, u pop3.URL, apop bool, password func(context.Context, pop3.URL) (string, error)) error {
	if apop && !c.secure && !c.opt.AllowCleartext {
		return fmt.Errorf("pop3client: APOP: %w", ErrCleartext)
	}
	secret, err := password(ctx, u)
	switch {
	case err != nil:
		return fmt.Errorf("pop3client: password for the user of %s: %w", u.Host, err)
	case apop:
		return c.APOP(ctx, u.User, secret)
	case strings.EqualFold(u.Auth, sasl.OAuthBearer), strings.EqualFold(u.Auth, sasl.XOAuth2):
		return c.LoginToken(ctx, sasl.Bearer{User: u.User, Token: secret})
	}
	return c.Login(ctx, u.User, secret)
}
