package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/imapclient"
)

// An IMAP sink is a folder on an IMAP server, which is made if it is not there. See [NewIMAP].
//
// APPEND announces the size of a message, so each message comes to this machine whole before it is sent: in memory up to
// 64 KiB, else in a file without a name. It keeps the letter's date (else the time of the pick-up) and its flags.
//
// After an answer that was lost, nobody knows whether the message is there. The next try of the same letter, also by
// another process, looks for it first: by the key in the collector's trace line, or, if the message has none, for one of
// the same size with the same octets. So only a server that changes messages, or cannot search, has it twice.
type IMAP struct {
	opt  IMAPOptions
	name string

	mu      sync.Mutex
	idle    *imapclient.Client
	since   time.Time // when idle was put there
	made    bool      // the folder is there
	unknown map[keyDigest]bool
	closed  bool
}

var _ collect.Sink = (*IMAP)(nil)

// IMAPOptions say where messages go.
type IMAPOptions struct {
	// Server is where it is and how to get in, without password and token.
	Server imapclient.Options
	// Credentials are asked for each connection.
	imapclient.Credentials
	// Folder is the folder's name as the server has it, INBOX if it is empty.
	Folder string
	// Spool is the folder for messages on their way. Default: the system's for temporary files.
	Spool string
}

const (
	// imapIdleTime is how long a connection waits for the next message: less than servers wait (RFC 3501 §5.4).
	imapIdleTime = 10 * time.Minute
	// imapFreshTime is after how long it is asked whether it is alive.
	imapFreshTime = 15 * time.Second
	// maxUnknown is how many letters are remembered of which nobody knows whether the server has them.
	maxUnknown = 1000
	// maxAlike is how many messages of the same size are compared.
	maxAlike = 20
	// maxKeyed is how many messages with the same key are looked at.
	maxKeyed = 5
)

// NewIMAP checks the options. It does not connect.
func NewIMAP(opt IMAPOptions) (*IMAP, error) {
	if opt.Folder == "" {
		opt.Folder = "INBOX"
	}
	if opt.Server.User == "" {
		return nil, errors.New("sink: imap needs a user")
	}
	if opt.Password == nil && opt.Token == nil {
		return nil, errors.New("sink: imap needs a password")
	}
	name := (&url.URL{Scheme: "imap", User: url.User(opt.Server.User), Host: opt.Server.Addr, Path: "/" + opt.Folder}).String()
	return &IMAP{opt: opt, name: name, unknown: make(map[keyDigest]bool)}, nil
}

// Name returns the address with user and folder.
func (s *IMAP) Name() string { return s.name }

// Safe returns false: a repeated delivery is recognised, but not on every server.
func (s *IMAP) Safe() bool { return false }

// Close ends the connection that waits for the next message.
func (s *IMAP) Close() error {
	s.mu.Lock()
	c := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitTime)
	defer cancel()
	_ = c.Logout(ctx) // nothing depends on the answer
	return nil
}

// Begin sees that the server is there, so that a message is not fetched in vain.
func (s *IMAP) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	c, err := s.conn(ctx, imapFreshTime)
	if err != nil {
		return nil, err
	}
	s.keep(c)
	d := &imapDelivery{sink: s, letter: letter, key: digestKey(letter.Key), spool: newSpool(s.opt.Spool)}
	return d, nil
}

// conn returns a connection that is alive, or was so lately.
func (s *IMAP) conn(ctx context.Context, fresh time.Duration) (*imapclient.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	s.mu.Lock()
	c, age, closed := s.idle, time.Since(s.since), s.closed
	s.idle = nil
	s.mu.Unlock()
	if closed {
		return nil, errEnded
	}
	if c != nil {
		if age < fresh || age < imapIdleTime && c.Noop(ctx) == nil {
			return c, nil
		}
		_ = c.Close()
	}
	return s.connect(ctx)
}

func (s *IMAP) connect(ctx context.Context) (*imapclient.Client, error) {
	c, err := s.opt.Dial(ctx, s.opt.Server)
	if err != nil {
		return nil, s.unreachable(ctx, err)
	}
	s.mu.Lock()
	made := s.made
	s.mu.Unlock()
	if made {
		return c, nil
	}
	if err := c.MakeFolder(ctx, s.opt.Folder); err != nil {
		_ = c.Close()
		return nil, later(s.name, err)
	}
	s.setMade(true)
	return c, nil
}

// unreachable types an error of Dial.
func (s *IMAP) unreachable(ctx context.Context, err error) error {
	var none *imapclient.CredentialError
	if ctx.Err() == nil && imapclient.NeedsPerson(err) || errors.As(err, &none) && missing(ctx, none.Err) {
		return &collect.PermanentError{Err: fmt.Errorf("%s: %w", s.name, err)}
	}
	return later(s.name, err)
}

func (s *IMAP) setMade(made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = made
}

// keep lets a connection wait for the next message.
func (s *IMAP) keep(c *imapclient.Client) {
	s.mu.Lock()
	if s.idle != nil || s.closed {
		s.mu.Unlock()
		_ = c.Close()
		return
	}
	s.idle, s.since = c, time.Now()
	s.mu.Unlock()
}

// doubt remembers whether nobody knows if the server has a letter.
func (s *IMAP) doubt(key keyDigest, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !unknown {
		delete(s.unknown, key)
		return
	}
	if len(s.unknown) >= maxUnknown {
		for other := range s.unknown {
			delete(s.unknown, other)
			break
		}
	}
	s.unknown[key] = true
}

func (s *IMAP) doubts(key keyDigest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unknown[key]
}

type imapDelivery struct {
	sink   *IMAP
	letter collect.Letter
	key    keyDigest
	spool  *spool // nil at the end
}

func (d *imapDelivery) Write(p []byte) (int, error) {
	if d.spool == nil {
		return 0, errEnded
	}
	n, err := d.spool.Write(p)
	return n, later(d.sink.name+": keeping the message until it is sent", err)
}

// Abort gives the message up. Nothing was sent.
func (d *imapDelivery) Abort() {
	if d.spool != nil {
		_ = d.spool.close() // nobody needs it
		d.spool = nil
	}
}

// Commit sends the message and waits for the server's word.
func (d *imapDelivery) Commit(ctx context.Context) error {
	if d.spool == nil {
		return errEnded
	}
	defer d.Abort()
	s := d.sink
	if d.letter.Again || s.doubts(d.key) {
		there, err := d.isThere(ctx)
		if err != nil {
			return temporary(fmt.Errorf("%s: looking whether the message is there from an earlier try: %w", s.name, err))
		}
		if there {
			s.doubt(d.key, false)
			return nil
		}
	}
	err := d.append(ctx)
	var refused *imapclient.Error
	if errors.As(err, &refused) && refused.Has("TRYCREATE") {
		s.setMade(false)
		err = d.append(ctx)
	}
	return err
}

// append sends the message once.
func (d *imapDelivery) append(ctx context.Context) error {
	s := d.sink
	text, err := d.spool.text()
	if err != nil {
		return later(s.name, err)
	}
	c, err := s.conn(ctx, imapFreshTime)
	if err != nil {
		return err
	}
	date := d.letter.Date
	if now := d.letter.Received; date.IsZero() || !now.IsZero() && date.After(now) || date.Year() < 1970 {
		date = now
	}
	_, err = c.Append(ctx, s.opt.Folder, imapclient.Letter{Size: d.spool.size, Text: text, Date: date, Flags: d.letter.Flags})
	var refused *imapclient.Error
	switch {
	case err == nil:
		s.doubt(d.key, false)
		s.keep(c)
		return nil
	case errors.As(err, &refused):
		_ = c.Close()
		return s.fault(err, refused)
	}
	s.doubt(d.key, true)
	_ = c.Close()
	return later(s.name, err)
}

// fault types a refusal. Final is only what is about the message itself: its size (RFC 7889) and its syntax.
func (s *IMAP) fault(err error, refused *imapclient.Error) error {
	err = fmt.Errorf("%s: %w", s.name, err)
	if refused.Has("TOOBIG", "CANNOT", "BADCHARSET") || refused.Status == "BAD" {
		return err
	}
	return temporary(err)
}

// isThere looks for the message in the folder.
func (d *imapDelivery) isThere(ctx context.Context) (bool, error) {
	s := d.sink
	c, err := s.conn(ctx, imapFreshTime)
	if err != nil {
		return false, err
	}
	if _, err = c.Examine(ctx, s.opt.Folder); err == nil {
		var there bool
		if there, err = d.find(ctx, c); err == nil {
			s.keep(c)
			return there, nil
		}
	}
	_ = c.Close()
	return false, err
}

func (d *imapDelivery) find(ctx context.Context, c *imapclient.Client) (bool, error) {
	key := []byte(d.letter.Key)
	if traced(d.spool.beginning(), key) {
		uids, err := c.WithHeader(ctx, "Received", d.letter.Key)
		if err != nil {
			return false, err
		}
		for _, uid := range uids[max(0, len(uids)-maxKeyed):] {
			header, err := read(ctx, c, uid, imapclient.Header, blocks)
			if err != nil {
				return false, err
			}
			if traced(header, key) {
				return true, nil
			}
		}
		return false, nil
	}
	uids, err := c.WithSize(ctx, d.spool.size)
	if err != nil {
		return false, err
	}
	for _, uid := range uids[max(0, len(uids)-maxAlike):] {
		same, err := d.same(ctx, c, uid)
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// traced tells whether the first field of a header is the collector's trace line with this key.
func traced(header, key []byte) bool {
	const field = "received:"
	if len(key) == 0 || len(header) < len(field) || !bytes.EqualFold(header[:len(field)], []byte(field)) {
		return false
	}
	line, _, _ := bytes.Cut(header, []byte("\n"))
	return bytes.HasSuffix(bytes.TrimRight(line, "\r "), append([]byte(" id "), key...))
}

// read returns the beginning of a message.
func read(ctx context.Context, c *imapclient.Client, uid uint32, part imapclient.Part, most int64) ([]byte, error) {
	body, err := c.Fetch(ctx, uid, part)
	if errors.Is(err, imapclient.ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	start, err := io.ReadAll(io.LimitReader(body, most))
	return start, errors.Join(err, body.Close())
}

// same tells whether a message has the same octets.
func (d *imapDelivery) same(ctx context.Context, c *imapclient.Client, uid uint32) (bool, error) {
	body, err := c.Fetch(ctx, uid, imapclient.Whole)
	if errors.Is(err, imapclient.ErrGone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	other := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{other}, body, make([]byte, copyBlock))
	err = errors.Join(err, body.Close())
	return err == nil && n == d.spool.size && bytes.Equal(other.Sum(nil), d.spool.digest.Sum(nil)), err
}

// copyBlock is the size of a buffer between two connections.
const copyBlock = 32 << 10
