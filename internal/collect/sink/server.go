package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/smtpclient"
)

// A Server is another mail server, by LMTP or SMTP: see [NewLMTP] and [NewSMTP].
//
// A message is sent while it comes in. All recipients must accept it before it is sent; with LMTP each also has its own
// word after it, and when some have taken it and others have not, a later try is for the others only, for as long as this
// process lives. A connection is kept for half a minute for the next message.
//
// The context of Begin bounds the whole delivery.
type Server struct {
	opt  ServerOptions
	name string

	mu     sync.Mutex
	idle   *smtpclient.Conn
	since  time.Time // when idle was put there
	taken  map[keyDigest][]string
	closed bool
}

var _ collect.Sink = (*Server)(nil)

// ServerOptions say where messages go and for whom.
type ServerOptions struct {
	// Server is where it is and how to talk to it. Its LMTP is set by NewLMTP and NewSMTP.
	Server smtpclient.Options
	// To are the recipients, at least one and at most 100.
	To []string
	// From is the envelope sender; empty means the letter's, or the null sender if that is not known.
	From string
}

// maxRecipients is what every server must take (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

// idleTime is how long a connection waits for the next message: less than servers wait.
const idleTime = 30 * time.Second

// maxTaken is how many letters are remembered that some recipients have taken and others have not.
const maxTaken = 1000

func newServer(kind string, opt ServerOptions) (*Server, error) {
	if len(opt.To) < 1 || len(opt.To) > maxRecipients {
		return nil, fmt.Errorf("sink: %s needs 1 to %d recipients, not %d", kind, maxRecipients, len(opt.To))
	}
	for _, to := range opt.To {
		if !usable(to) {
			return nil, fmt.Errorf("sink: %q is not an address that %s can deliver to", printable(to, maxAddress), kind)
		}
	}
	if opt.From != "" && !usable(opt.From) {
		return nil, fmt.Errorf("sink: %q is not an address that %s can send from", printable(opt.From, maxAddress), kind)
	}
	opt.To = slices.Clone(opt.To)
	name := kind + ":" + opt.Server.Addr + ":" + strings.Join(opt.To, ",")
	return &Server{opt: opt, name: name, taken: make(map[keyDigest][]string)}, nil
}

// maxAddress is longer than any address is (RFC 5321 §4.5.3.1).
const maxAddress = 320

func usable(address string) bool {
	return address != "" && len(address) <= maxAddress && !strings.ContainsFunc(address, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '<' || r == '>'
	})
}

// Name returns the protocol, the address and the recipients.
func (s *Server) Name() string { return s.name }

// Safe returns false: when the connection is lost before the answer to a message, nobody knows.
func (s *Server) Safe() bool { return false }

// Close ends the connection that waits for the next message.
func (s *Server) Close() error {
	s.mu.Lock()
	c := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitTime)
	defer cancel()
	defer c.Watch(ctx)()
	_ = c.Quit() // nothing depends on the answer
	return nil
}

// quitTime is how long a server may take to say good-bye.
const quitTime = 5 * time.Second

// Begin connects, if need be, and asks the server whether it takes a message for the recipients.
func (s *Server) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	from := s.opt.From
	if from == "" && usable(letter.Sender) {
		from = letter.Sender
	}
	d := &serverDelivery{sink: s, key: digestKey(letter.Key)}
	d.to = s.waiting(d.key)
	for reuse := true; ; reuse = false {
		c, old, err := s.conn(ctx, reuse)
		if err != nil {
			return nil, s.unreachable(ctx, err)
		}
		d.conn, d.stop = c, c.Watch(ctx)
		err = d.open(from)
		if err == nil {
			return d, nil
		}
		d.release(err)
		// A server may close a connection that waits.
		var refused *smtpclient.ReplyError
		if !old || ctx.Err() != nil || errors.As(err, &refused) && refused.Code != 421 {
			return nil, s.fault(err)
		}
	}
}

// waiting returns the recipients that have not taken the letter yet.
func (s *Server) waiting(key keyDigest) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.taken[key]
	var to []string
	for _, r := range s.opt.To {
		if !slices.Contains(taken, r) {
			to = append(to, r)
		}
	}
	return to
}

// conn returns the connection that waits, if old is true, or a new one.
func (s *Server) conn(ctx context.Context, reuse bool) (c *smtpclient.Conn, old bool, err error) {
	s.mu.Lock()
	c, fresh, closed := s.idle, time.Since(s.since) < idleTime, s.closed
	s.idle = nil
	s.mu.Unlock()
	if closed {
		return nil, false, errEnded
	}
	if c != nil && reuse && fresh {
		return c, true, nil
	}
	if c != nil {
		_ = c.Close()
	}
	c, err = smtpclient.Dial(ctx, s.opt.Server)
	return c, false, err
}

// keep lets a connection wait for the next message.
func (s *Server) keep(c *smtpclient.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil || s.closed {
		_ = c.Close()
		return
	}
	s.idle, s.since = c, time.Now()
}

// remember notes who has taken a letter when others have not.
func (s *Server) remember(key keyDigest, took []string, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all {
		delete(s.taken, key)
		return
	}
	if len(took) == 0 {
		return
	}
	if _, known := s.taken[key]; !known && len(s.taken) >= maxTaken {
		for other := range s.taken {
			delete(s.taken, other)
			break
		}
	}
	s.taken[key] = append(s.taken[key], took...)
}

// unreachable types an error of Dial.
func (s *Server) unreachable(ctx context.Context, err error) error {
	var none *smtpclient.PasswordError
	named := fmt.Errorf("%s: %w", s.name, err)
	if ctx.Err() == nil && smtpclient.NeedsPerson(err) || errors.As(err, &none) && missing(ctx, none.Err) {
		return &collect.PermanentError{Err: named}
	}
	return temporary(named)
}

// fault types an error. A refusal with 5yz is final, unless it is about signing in, which is not the message's fault; with
// several refusals all must be final.
func (s *Server) fault(errs ...error) error {
	final := true
	if i := slices.IndexFunc(errs, smtpclient.NeedsPerson); i >= 0 {
		return &collect.PermanentError{Err: fmt.Errorf("%s: %w", s.name, errs[i])}
	}
	for _, err := range errs {
		var refused *smtpclient.ReplyError
		switch {
		case errors.Is(err, smtpclient.ErrNoUTF8):
		case errors.As(err, &refused) && !refused.Temporary():
		default:
			final = false
		}
	}
	err := errs[0]
	if len(errs) > 1 {
		err = &refusals{errs}
	}
	err = fmt.Errorf("%s: %w", s.name, err)
	if final {
		return err
	}
	return temporary(err)
}

// refusals are several errors on one line.
type refusals struct{ errs []error }

func (r *refusals) Error() string {
	texts := make([]string, len(r.errs))
	for i, err := range r.errs {
		texts[i] = err.Error()
	}
	return printable(strings.Join(texts, "; "), maxValue)
}

func (r *refusals) Unwrap() []error { return r.errs }

type serverDelivery struct {
	sink    *Server
	key     keyDigest
	to      []string
	conn    *smtpclient.Conn // nil at the end
	stop    func()
	message *smtpclient.Message
}

// open goes through the envelope.
func (d *serverDelivery) open(from string) error {
	if err := d.conn.Mail(from, d.to...); err != nil {
		return err
	}
	var refused []error
	for _, to := range d.to {
		err := d.conn.Rcpt(to)
		var reply *smtpclient.ReplyError
		if err != nil && (!errors.As(err, &reply) || reply.Code == 421) {
			return err
		}
		if err != nil {
			refused = append(refused, err)
		}
	}
	switch len(refused) {
	case 0:
	case 1:
		return refused[0]
	default:
		return &refusals{refused}
	}
	var err error
	d.message, err = d.conn.Data()
	return err
}

// release ends the use of the connection, before a message was begun.
func (d *serverDelivery) release(err error) {
	c := d.conn
	d.conn = nil
	var refused *smtpclient.ReplyError
	if errors.As(err, &refused) && refused.Code != 421 && c.Reset() == nil {
		d.stop()
		d.sink.keep(c)
		return
	}
	d.stop()
	_ = c.Close()
}

func (d *serverDelivery) Write(p []byte) (int, error) {
	if d.conn == nil {
		return 0, errEnded
	}
	n, err := d.message.Write(p)
	if err != nil {
		err = temporary(fmt.Errorf("%s: sending the message: %w", d.sink.name, err))
	}
	return n, err
}

// Commit ends the message and waits for the server's word.
func (d *serverDelivery) Commit(ctx context.Context) error {
	if d.conn == nil {
		return errEnded
	}
	if err := ctx.Err(); err != nil {
		d.Abort()
		return temporary(err)
	}
	unwatch := d.conn.Watch(ctx)
	answers, err := d.message.Finish(len(d.to))
	unwatch()
	d.stop()
	c := d.conn
	d.conn = nil
	var took []string
	var refused []error
	for i, answer := range answers {
		switch {
		case answer != nil && len(d.to) > 1 && len(answers) > 1:
			refused = append(refused, fmt.Errorf("<%s>: %w", d.to[i], answer))
		case answer != nil:
			refused = append(refused, answer)
		case d.sink.opt.Server.LMTP:
			took = append(took, d.to[i])
		}
	}
	if err != nil {
		_ = c.Close()
		d.sink.remember(d.key, took, false)
		return temporary(fmt.Errorf("%s: after the message: %w", d.sink.name, err))
	}
	d.sink.remember(d.key, took, len(refused) == 0)
	d.sink.keep(c)
	if len(refused) > 0 {
		return d.sink.fault(refused...)
	}
	return nil
}

// Abort closes the connection: the server forgets what it got of the message.
func (d *serverDelivery) Abort() {
	if d.conn != nil {
		d.stop()
		_ = d.conn.Close()
		d.conn = nil
	}
}
