package imapsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/imapclient"
)

// Options say where the folder is and how to get in.
type Options struct {
	// URL is imaps://[user@]host[:port][/folder] for TLS from the start (port 993), or imap://... (port 143) for STARTTLS
	// before anything else. Without a folder it is INBOX. A password in it is refused.
	URL string
	// User is the name to sign in with, if it is not in URL.
	User string
	// Credentials are asked at each Open.
	imapclient.Credentials
	// Cleartext makes imap:// do without TLS, and lets others read password and mail.
	Cleartext bool
	// NoIdle makes Wait end with collect.ErrNoWait.
	NoIdle bool
	// Client are further options: trust, proxy, timeouts, limits, mechanisms. Where the server is, who signs in, and the
	// protection follow from the options above.
	Client imapclient.Options
}

// A Source is a folder on an IMAP server. Open and Wait are not called at the same time.
type Source struct {
	opt    Options
	host   string
	folder string

	mu     sync.Mutex
	listed mark // what the last listing went up to
}

// A mark is a place in the history of a folder.
type mark struct{ uidValidity, uidNext uint32 }

// New checks the options. It does not connect.
func New(opt Options) (*Source, error) {
	u, err := url.Parse(opt.URL)
	switch {
	case err != nil:
		return nil, errors.New("IMAP address is not a URL: write imaps://user@host")
	case u.Scheme != "imaps" && u.Scheme != "imap":
		return nil, fmt.Errorf("IMAP address %q begins with neither imaps:// nor imap://", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("IMAP address %q has no host", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("IMAP address %q has something behind the folder", u.Redacted())
	case opt.Cleartext && u.Scheme == "imaps":
		return nil, fmt.Errorf("IMAP address %q asks for TLS, and the option for none", u.Redacted())
	}
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return nil, fmt.Errorf("IMAP address %q has a password in it: keep it elsewhere, others can read it here", u.Redacted())
		}
		if opt.User == "" {
			opt.User = u.User.Username()
		}
	}
	if opt.User == "" {
		return nil, fmt.Errorf("IMAP address %q has no user", u.Redacted())
	}
	if opt.Password == nil && opt.Token == nil {
		return nil, fmt.Errorf("no password source for %q", u.Redacted())
	}
	s := &Source{opt: opt, host: strings.ToLower(u.Hostname()), folder: strings.TrimPrefix(u.Path, "/")}
	if s.folder == "" {
		s.folder = "INBOX"
	}
	port := u.Port()
	c := &s.opt.Client
	c.User, c.AllowCleartext = opt.User, opt.Cleartext
	switch {
	case u.Scheme == "imaps":
		c.Security, port = imapclient.TLS, orPort(port, "993")
	case opt.Cleartext:
		c.Security, port = imapclient.Clear, orPort(port, "143")
	default:
		c.Security, port = imapclient.StartTLS, orPort(port, "143")
	}
	c.Addr = net.JoinHostPort(u.Hostname(), port)
	return s, nil
}

func orPort(port, or string) string {
	if port == "" {
		return or
	}
	return port
}

// Host returns the server's name, for collect.Account.
func (s *Source) Host() string { return s.host }

// User returns the name it signs in with.
func (s *Source) User() string { return s.opt.User }

// Folder returns the folder's name.
func (s *Source) Folder() string { return s.folder }

// Open connects, signs in and opens the folder.
func (s *Source) Open(ctx context.Context) (collect.Session, error) {
	c, folder, err := s.examine(ctx)
	if err != nil {
		return nil, err
	}
	return &session{source: s, client: c, folder: folder}, nil
}

func (s *Source) examine(ctx context.Context) (*imapclient.Client, imapclient.Folder, error) {
	c, err := s.opt.Dial(ctx, s.opt.Client)
	var missing *imapclient.CredentialError
	if errors.As(err, &missing) {
		return nil, imapclient.Folder{}, s.noCredentials(ctx, missing.Err)
	}
	if err != nil {
		return nil, imapclient.Folder{}, classify(err)
	}
	folder, err := c.Examine(ctx, s.folder)
	if err != nil {
		return nil, imapclient.Folder{}, errors.Join(classify(err), c.Close())
	}
	return c, folder, nil
}

// noCredentials says what it means that there is no password. What is typed already stays as it is.
func (s *Source) noCredentials(ctx context.Context, err error) error {
	var temporary *collect.TemporaryError
	if collect.Classify(err) != collect.Temporary || ctx.Err() != nil || errors.As(err, &temporary) {
		return err
	}
	return &collect.PermanentError{Err: fmt.Errorf("password for %s at %s: %w", s.opt.User, s.host, err)}
}

// Wait waits until there is mail that the last listing did not have, and returns nil then. The error is collect.ErrNoWait
// where the server cannot tell, that of ctx at its end, or another one when the connection fails.
func (s *Source) Wait(ctx context.Context) error {
	s.mu.Lock()
	listed := s.listed
	s.mu.Unlock()
	if s.opt.NoIdle || listed == (mark{}) {
		return collect.ErrNoWait
	}
	c, folder, err := s.examine(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if !c.Has("IDLE") {
		return collect.ErrNoWait
	}
	if folder.UIDValidity != listed.uidValidity || folder.UIDNext > listed.uidNext {
		return nil // it came since
	}
	if err := c.Idle(ctx); err != nil {
		return err
	}
	return c.Logout(ctx)
}

// note remembers what a listing went up to.
func (s *Source) note(m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = m
}
