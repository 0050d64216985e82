package pop3source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/postamt/postamt/internal/collect"
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
	opt     Options
	host    string
	address string
}

// New checks the options. It does not connect.
func New(opt Options) (*Source, error) {
	u, err := url.Parse(opt.URL)
	switch {
	case err != nil:
		return nil, errors.New("POP3 address is not a URL: write pop3s://user@host")
	case u.Scheme != "pop3s" && u.Scheme != "pop3":
		return nil, fmt.Errorf("POP3 address %q begins with neither pop3s:// nor pop3://", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("POP3 address %q has no host", u.Redacted())
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("POP3 address %q has something behind the host", u.Redacted())
	case opt.Cleartext && u.Scheme == "pop3s":
		return nil, fmt.Errorf("POP3 address %q asks for TLS, and the option for none", u.Redacted())
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return nil, fmt.Errorf("POP3 address %q has a password in it: keep it elsewhere, others can read it here", u.Redacted())
		}
		if opt.User == "" {
			opt.User = u.User.Username()
		}
	}
	if opt.User == "" {
		return nil, fmt.Errorf("POP3 address %q has no user", u.Redacted())
	}
	if opt.Password == nil && opt.Token == nil {
		return nil, fmt.Errorf("no password source for %q", u.Redacted())
	}
	port := u.Port()
	switch {
	case u.Scheme == "pop3s":
		opt.Client.Security = pop3client.TLS
	case opt.Cleartext:
		opt.Client.Security = pop3client.Clear
	default:
		opt.Client.Security = pop3client.STLS
	}
	opt.Client.AllowCleartext = opt.Cleartext
	if opt.Client.MaxDrain == 0 {
		opt.Client.MaxDrain = maxSkip
	}
	address := u.Hostname()
	if port != "" {
		address = net.JoinHostPort(address, port)
	} else if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return &Source{opt: opt, host: strings.ToLower(u.Hostname()), address: address}, nil
}

// Host returns the server's name, for collect.Account.
func (s *Source) Host() string { return s.host }

// User returns the name it signs in with.
func (s *Source) User() string { return s.opt.User }

// Open connects and signs in.
func (s *Source) Open(ctx context.Context) (collect.Session, error) {
	if s.opt.Token != nil {
		return s.openByToken(ctx)
	}
	password, err := s.opt.Password(ctx)
	if err != nil {
		var temporary *collect.TemporaryError
		if collect.Classify(err) != collect.Temporary || ctx.Err() != nil || errors.As(err, &temporary) {
			return nil, err
		}
		return nil, &collect.PermanentError{Err: fmt.Errorf("password for %s at %s: %w", s.opt.User, s.host, err)}
	}
	c, err := pop3client.Dial(ctx, s.address, &s.opt.Client)
	if err != nil {
		return nil, classify(err, nil)
	}
	if s.opt.APOP {
		err = c.APOP(ctx, s.opt.User, password)
	} else {
		err = c.Login(ctx, s.opt.User, password)
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
