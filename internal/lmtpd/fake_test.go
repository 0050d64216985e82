package lmtpd

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/testpeers"
)

// fakeStore keeps what is committed, in memory, as it came. Its err fields make a step fail.
type fakeStore struct {
	beginErr, writeErr, commitErr error
	committing                    chan struct{} // if set, Commit reports here and waits for a second receive

	mu       sync.Mutex
	messages []delivered
	aborted  int
}

type delivered struct {
	env  mailstore.Envelope
	to   []mailstore.Recipient
	body []byte
}

func (s *fakeStore) Begin(_ context.Context, env mailstore.Envelope) (mailstore.Delivery, error) {
	if s.beginErr != nil {
		return nil, s.beginErr
	}
	return &fakeDelivery{s: s, env: env}, nil
}

func (s *fakeStore) all() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivered(nil), s.messages...)
}

type fakeDelivery struct {
	s    *fakeStore
	env  mailstore.Envelope
	body bytes.Buffer
	done bool
}

func (d *fakeDelivery) Write(p []byte) (int, error) {
	if d.s.writeErr != nil {
		return 0, d.s.writeErr
	}
	return d.body.Write(p)
}

func (d *fakeDelivery) Commit(_ context.Context, to []mailstore.Recipient) ([]mailstore.Receipt, error) {
	d.done = true
	if d.s.committing != nil {
		d.s.committing <- struct{}{}
		<-d.s.committing
	}
	if d.s.commitErr != nil {
		return nil, d.s.commitErr
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.s.messages = append(d.s.messages, delivered{d.env, to, bytes.Clone(d.body.Bytes())})
	return make([]mailstore.Receipt, len(to)), nil
}

func (d *fakeDelivery) Abort() {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	if !d.done {
		d.done = true
		d.s.aborted++
	}
}

// fakeDirectory knows pat (1), green (2) and, by two names, anna (3). "broken" is an error.
type fakeDirectory struct{}

func (fakeDirectory) Recipient(_ context.Context, address string) (account.Account, error) {
	local, _, _ := strings.Cut(address, "@")
	local, _, _ = strings.Cut(local, "+")
	id := map[string]int64{"pat": 1, "green": 2, "anna": 3, "anni": 3, "jörg": 4}[local]
	switch {
	case local == "broken":
		return account.Account{}, io.ErrUnexpectedEOF
	case id == 0:
		return account.Account{}, account.ErrNotFound
	}
	return account.Account{ID: id, Name: local}, nil
}

// newServer starts a Server on a TCP and a unix socket and stops it at the end of the test.
func newServer(t *testing.T, opt Options) (srv *Server, tcp, unix net.Addr) {
	t.Helper()
	if opt.Directory == nil {
		opt.Directory = fakeDirectory{}
	}
	if opt.Store == nil {
		opt.Store = &fakeStore{}
	}
	opt.Hostname = "foo.edu"
	srv = New(opt)
	var served sync.WaitGroup
	addrs := make([]net.Addr, 0, 2)
	for network, address := range map[string]string{"tcp": testpeers.OwnLoopback() + ":0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr())
		served.Go(func() {
			if err := srv.Serve(l); err != ErrClosed {
				t.Errorf("Serve: %v, want ErrClosed", err)
			}
		})
	}
	if addrs[0].Network() == "unix" {
		addrs[0], addrs[1] = addrs[1], addrs[0]
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		served.Wait()
	})
	return srv, addrs[0], addrs[1]
}

// A peer is the other end, to the octet.
type peer struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr net.Addr) *peer {
	t.Helper()
	nc, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	return newPeer(t, nc)
}

func newPeer(t *testing.T, nc net.Conn) *peer {
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t, nc, bufio.NewReader(nc)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.nc, s); err != nil {
		p.t.Fatalf("send %.40q: %v", s, err)
	}
}

// want reads a line and compares it; a pattern that ends in * stands for its beginning.
func (p *peer) want(pattern string) {
	p.t.Helper()
	line, err := p.r.ReadString('\n')
	line = strings.TrimSuffix(line, "\r\n")
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(line, prefix) || line == pattern {
		return
	}
	p.t.Fatalf("got %q (%v), want %q", line, err, pattern)
}

// wantEOF checks that the server closes without another octet.
func (p *peer) wantEOF() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Fatalf("got %q (%v), want the end", rest, err)
	}
}

// play runs lines that begin with "C: " and "S: ".
func (p *peer) play(script string) {
	p.t.Helper()
	for line := range strings.Lines(strings.TrimLeft(script, "\n")) {
		line = strings.TrimRight(strings.TrimLeft(line, "\t"), "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "C: "):
			p.send(line[3:] + "\r\n")
		case strings.HasPrefix(line, "S: "):
			p.want(line[3:])
		case line == "S|":
			p.wantEOF()
		default:
			p.t.Fatalf("bad script line %q", line)
		}
	}
}

// hello plays the session up to the envelope with the given recipients, answered positively.
func (p *peer) hello(recipients ...string) {
	p.t.Helper()
	p.want("220 foo.edu*")
	p.send("LHLO client\r\n")
	for range 5 {
		p.want("250-*")
	}
	p.want("250 SIZE*")
	p.envelope(recipients...)
}

func (p *peer) envelope(recipients ...string) {
	p.t.Helper()
	p.play("C: MAIL FROM:<chris@bar.com>\nS: 250*")
	for _, r := range recipients {
		p.play("C: RCPT TO:<" + r + ">\nS: 250*")
	}
}
