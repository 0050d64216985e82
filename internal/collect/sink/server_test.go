package sink_test

import (
	"errors"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/smtpclient"
	"github.com/postamt/postamt/internal/testpeers"
)

// A peer is somebody else's SMTP or LMTP server. It makes a file of each message.
type peer struct {
	dir      string
	addr     string
	server   *smtp.Server
	listener net.Listener
	done     chan error

	mu       sync.Mutex
	refuse   map[string]error // answers to RCPT TO
	after    map[string]error // answers after the message, for LMTP; "" for SMTP
	sessions int
	last     *smtp.Conn
	envelope []string // what came, as "from>to"
}

func newPeer(dir string, lmtp bool) (*peer, error) {
	p := &peer{dir: dir, done: make(chan error, 1), refuse: map[string]error{}, after: map[string]error{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.addr, p.listener = l.Addr().String(), l
	p.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sessions++
		p.last = c
		return &peerSession{peer: p}, nil
	}))
	p.server.LMTP = lmtp
	p.server.Domain = "peer.example.com"
	p.server.MaxLineLength = 1 << 20
	p.server.ErrorLog = log.New(io.Discard, "", 0)
	go func() { p.done <- p.server.Serve(l) }()
	return p, nil
}

func (p *peer) Close() error {
	_ = p.listener.Close() // the server does not know it yet if it was not served
	err := p.server.Close()
	<-p.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

type peerSession struct {
	peer *peer
	from string
	to   []string
}

func (s *peerSession) AuthMechanisms() []string         { return nil }
func (s *peerSession) Auth(string) (sasl.Server, error) { return nil, smtp.ErrAuthUnsupported }
func (s *peerSession) Reset()                           { s.to = nil }
func (s *peerSession) Logout() error                    { return nil }
func (s *peerSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *peerSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	if err := s.peer.refuse[to]; err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *peerSession) Data(r io.Reader) error { return s.take(r, "") }

// take keeps a message for one recipient, or for all if to is empty.
func (s *peerSession) take(r io.Reader, to string) error {
	f, err := os.CreateTemp(s.peer.dir, "part.")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	if to == "" {
		to = strings.Join(s.to, ",")
		if err := s.peer.after[""]; err != nil {
			return err
		}
	}
	s.peer.envelope = append(s.peer.envelope, s.from+">"+to)
	return os.Rename(f.Name(), filepath.Join(s.peer.dir, "done."+filepath.Base(f.Name())))
}

func (s *peerSession) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	text := new(strings.Builder)
	if len(s.to) > 1 { // for tests of many recipients, with small messages
		if _, err := io.Copy(text, r); err != nil {
			return err
		}
	}
	for _, to := range s.to {
		s.peer.mu.Lock()
		err := s.peer.after[to]
		s.peer.mu.Unlock()
		switch {
		case err != nil && len(s.to) == 1:
			_, _ = io.Copy(io.Discard, r)
		case err != nil:
		case len(s.to) > 1:
			err = s.take(strings.NewReader(text.String()), to)
		default:
			err = s.take(r, to)
		}
		status.SetStatus(to, err)
	}
	return nil
}

// newServerSink returns a sink that delivers to p.
func newServerSink(p *peer, opt sink.ServerOptions) (*sink.Server, error) {
	opt.Server.Addr, opt.Server.Security = p.addr, smtpclient.Cleartext
	if opt.To == nil {
		opt.To = []string{"bob@example.com"}
	}
	if p.server.LMTP {
		return sink.NewLMTP(opt)
	}
	return sink.NewSMTP(opt)
}

func openServer(lmtp bool) func(string) (collect.Sink, error) {
	return func(dir string) (collect.Sink, error) {
		p, err := newPeer(dir, lmtp)
		if err != nil {
			return nil, err
		}
		s, err := newServerSink(p, sink.ServerOptions{})
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		return closing{s, p.Close}, nil
	}
}

func startPeer(t *testing.T, lmtp bool) *peer {
	t.Helper()
	p, err := newPeer(t.TempDir(), lmtp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func serverSink(t *testing.T, p *peer, opt sink.ServerOptions) *sink.Server {
	t.Helper()
	s, err := newServerSink(p, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const text = "Subject: x\r\n\r\ntext\r\n"

var (
	noUser = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	full   = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "Mailbox full"}
)

// kindOf says what an error means to the collector.
func kindOf(err error) string {
	var t *collect.TemporaryError
	switch {
	case err == nil:
		return "delivered"
	case errors.As(err, &t):
		return "temporary"
	default:
		return "final"
	}
}

func TestServerRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		lmtp          bool
		refuse, after map[string]error
		want, detail  string
		files         int
	}{
		{"SMTP, no such user", false, map[string]error{"bob@example.com": noUser}, nil, "final", "550 5.1.1 No such user", 0},
		{"SMTP, full", false, map[string]error{"bob@example.com": full}, nil, "temporary", "452 4.2.2 Mailbox full", 0},
		{"SMTP, one of two full", false, map[string]error{"bob@example.com": full, "eve@example.com": noUser}, nil, "temporary", "No such user", 0},
		{"SMTP, both unknown", false, map[string]error{"bob@example.com": noUser, "eve@example.com": noUser}, nil, "final", "; ", 0},
		{"SMTP, refused after the message", false, nil, map[string]error{"": noUser}, "final", "refuses the message: 550", 0},
		{"SMTP, full after the message", false, nil, map[string]error{"": full}, "temporary", "452", 0},
		{"LMTP, refused after the message", true, nil, map[string]error{"bob@example.com": noUser}, "final", "<bob@example.com>", 1},
		{"LMTP, one of two full after it", true, nil, map[string]error{"bob@example.com": full}, "temporary", "<bob@example.com>", 1},
		{"LMTP, both delivered", true, nil, nil, "delivered", "", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, test.lmtp)
			for to, err := range test.refuse {
				p.refuse[to] = err
			}
			for to, err := range test.after {
				p.after[to] = err
			}
			s := serverSink(t, p, sink.ServerOptions{To: []string{"bob@example.com", "eve@example.com"}})
			err := sinktest.Deliver(t.Context(), s, "a", text)
			if kindOf(err) != test.want || err != nil && !strings.Contains(err.Error(), test.detail) {
				t.Errorf("got %v, want %s with %q", err, test.want, test.detail)
			}
			if files, err := readFolder(p.dir); err != nil || len(files) != test.files {
				t.Errorf("%d messages there, %v, want %d", len(files), err, test.files)
			}
		})
	}
}

// A letter that one recipient has taken and the other has not goes to the other only.
func TestServerRemembersRecipients(t *testing.T) {
	t.Parallel()
	p := startPeer(t, true)
	p.after["eve@example.com"] = full
	s := serverSink(t, p, sink.ServerOptions{To: []string{"bob@example.com", "eve@example.com"}})
	if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" {
		t.Fatalf("got %v", err)
	}
	p.mu.Lock()
	delete(p.after, "eve@example.com")
	p.mu.Unlock()
	if err := sinktest.Deliver(t.Context(), s, "a", text); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(p.envelope, " ")
	if want := "friend@example.com>bob@example.com friend@example.com>eve@example.com"; got != want {
		t.Errorf("there came %s, want %s", got, want)
	}
	if p.sessions != 1 {
		t.Errorf("%d sessions for two messages, want 1", p.sessions)
	}
}

// A server that has closed the connection meanwhile is called again.
func TestServerCallsAgain(t *testing.T) {
	t.Parallel()
	p := startPeer(t, false)
	s := serverSink(t, p, sink.ServerOptions{From: "postmaster@example.com"})
	if err := sinktest.Deliver(t.Context(), s, "a", text); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	_ = p.last.Conn().Close()
	p.mu.Unlock()
	if err := sinktest.Deliver(t.Context(), s, "b", text); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.envelope, " "); got != "postmaster@example.com>bob@example.com postmaster@example.com>bob@example.com" {
		t.Errorf("there came %s", got)
	}
	if p.sessions != 2 {
		t.Errorf("%d sessions, want 2", p.sessions)
	}
}

func TestServerAway(t *testing.T) {
	t.Parallel()
	nobody := &peer{server: new(smtp.Server), addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(testpeers.Unanswered(t)))}
	s := serverSink(t, nobody, sink.ServerOptions{})
	if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" {
		t.Errorf("got %v, want a temporary error", err)
	}
}

func TestServerOptions(t *testing.T) {
	t.Parallel()
	for _, opt := range []sink.ServerOptions{
		{},
		{To: make([]string, 101)},
		{To: []string{"a@b>\r\nRCPT TO:<c@d"}},
		{To: []string{""}},
		{To: []string{"a@b"}, From: "x y"},
	} {
		if _, err := sink.NewSMTP(opt); err == nil {
			t.Errorf("%.100v: no error", opt)
		}
	}
}
