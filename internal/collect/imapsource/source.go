package imapsource

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/mailbox"
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
	opt Options
	at  mailbox.Address

	mu     sync.Mutex
	listed mark // what the last listing went up to
}

// A mark is a place in the history of a folder.
type mark struct{ uidValidity, uidNext uint32 }

// New checks the options. It does not connect.
func New(opt Options) (*Source, error) {
	a, err := mailbox.Parse(mailbox.IMAP, opt.URL, opt.User, opt.Cleartext)
	if err != nil {
		return nil, err
	}
	if a.Folder == "" {
		a.Folder = "INBOX"
	}
	if err := imapclient.CheckFolder(a.Folder); err != nil {
		return nil, fmt.Errorf("IMAP address %q: %w", opt.URL, err)
	}
	if opt.Password == nil && opt.Token == nil {
		return nil, fmt.Errorf("no password source for %q", opt.URL)
	}
	s := &Source{opt: opt, at: a}
	c := &s.opt.Client
	c.Addr, c.User, c.AllowCleartext = a.Dial, a.User, opt.Cleartext
	switch {
	case a.TLS:
		c.Security = imapclient.TLS
	case opt.Cleartext:
		c.Security = imapclient.Clear
	default:
		c.Security = imapclient.StartTLS
	}
	return s, nil
}

// Host returns the server's name, for collect.Account.
func (s *Source) Host() string { return s.at.Host }

// User returns the name it signs in with.
func (s *Source) User() string { return s.at.User }

// Folder returns the folder's name.
func (s *Source) Folder() string { return s.at.Folder }

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
		return nil, imapclient.Folder{}, s.at.NoPassword(ctx, missing.Err)
	}
	if err != nil {
		return nil, imapclient.Folder{}, classify(err)
	}
	folder, err := c.Examine(ctx, s.at.Folder)
	if err != nil {
		return nil, imapclient.Folder{}, errors.Join(classify(err), c.Close())
	}
	return c, folder, nil
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
