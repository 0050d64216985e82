package pop3source

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/mailbox"
	"github.com/postamt/postamt/pop3/pop3client"
)

// Options say where the mailbox is and how to get in.
type Options struct {
	// URL is pop3s://[user@]host[:port] for TLS from the start (port 995), or pop3://[user@]host[:port] (port 110) for
	// STLS before anything else. A password in it is refused.
	URL string
	// User is the name to sign in with, if it is not in URL.
	User string
	// Password is asked at each Open.
	Password func(ctx context.Context) (string, error)
	// Token, if set, takes the place of Password: it is asked for an OAuth access token. TokenRefused is told of one that the
	// server did not take; Token is then asked once more, and if it returns another one, that is tried.
	Token        func(ctx context.Context) (string, error)
	TokenRefused func(token string)
	// Cleartext makes pop3:// do without TLS, and lets others read password and mail.
	Cleartext bool
	// APOP signs in with APOP and nothing else.
	APOP bool
	// SDPS asks for the envelope of each message with *ENV, as servers of Demon's SDPS know it: see collect.Enveloper.
	SDPS bool
	// Client are further options: trust, proxy, timeouts, limits, mechanisms. Security and AllowCleartext follow from the
	// options above.
	Client pop3client.Options
}

// A Source is a mailbox on a POP3 server.
type Source struct {
	opt Options
	at  mailbox.Address
}

// New checks the options. It does not connect.
func New(opt Options) (*Source, error) {
	a, err := mailbox.Parse(mailbox.POP3, opt.URL, opt.User, opt.Cleartext)
	if err != nil {
		return nil, err
	}
	if opt.Password == nil && opt.Token == nil {
		return nil, fmt.Errorf("no password source for %q", opt.URL)
	}
	c := &opt.Client
	c.AllowCleartext = opt.Cleartext
	switch {
	case a.TLS:
		c.Security = pop3client.TLS
	case opt.Cleartext:
		c.Security = pop3client.Clear
	default:
		c.Security = pop3client.STLS
	}
	if c.MaxDrain == 0 {
		c.MaxDrain = maxSkip
	}
	return &Source{opt: opt, at: a}, nil
}

// Host returns the server's name, for collect.Account.
func (s *Source) Host() string { return s.at.Host }

// User returns the name it signs in with.
func (s *Source) User() string { return s.at.User }

// Open connects and signs in.
func (s *Source) Open(ctx context.Context) (collect.Session, error) {
	if s.opt.Token != nil {
		return s.openByToken(ctx)
	}
	password, err := s.opt.Password(ctx)
	if err != nil {
		return nil, s.at.NoPassword(ctx, err)
	}
	c, err := pop3client.Dial(ctx, s.at.Dial, &s.opt.Client)
	if err != nil {
		return nil, classify(err, nil)
	}
	if s.opt.APOP {
		err = c.APOP(ctx, s.at.User, password)
	} else {
		err = c.Login(ctx, s.at.User, password)
	}
	if err != nil {
		capa, _ := c.Capa(ctx) // from before signing in; only to understand the refusal
		return nil, errors.Join(classify(err, capa), ignoreClosed(c.Close()))
	}
	return s.signedIn(ctx, c)
}

// signedIn makes a session of a connection that has signed in.
func (s *Source) signedIn(ctx context.Context, c *pop3client.Client) (collect.Session, error) {
	capa, err := c.Capa(ctx)
	if err != nil && !errors.Is(err, pop3client.ErrNoCapa) {
		return nil, errors.Join(classify(err, nil), ignoreClosed(c.Close()))
	}
	if s.opt.SDPS {
		return sdpsSession{newSession(c, capa)}, nil
	}
	return newSession(c, capa), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, pop3client.ErrClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
