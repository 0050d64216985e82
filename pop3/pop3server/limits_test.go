package pop3server_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3server"
)

func ip(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s), Port: 4711} }

func TestMaxConns(t *testing.T) { // S-009
	t.Parallel()
	refused := make(chan string, 1)
	s := start(t, func(o *pop3server.Options) {
		o.MaxConns = 2
		o.Hooks.ConnRefused = func(limit string) { refused <- limit }
	})
	p, q := s.pipe(t).greeted(), s.pipe(t).greeted()
	r := s.pipe(t)
	r.want("-ERR [SYS/TEMP] too many connections")
	r.closed()
	if got := <-refused; got != "connections" {
		t.Errorf("refused because of %q", got)
	}
	p.quit()
	q.quit()
	// The place is free when the session has ended, a moment after its last octet.
	for {
		p := s.pipe(t)
		if line := p.line(); strings.HasPrefix(line, "+OK ") {
			p.quit()
			return
		}
		<-refused
		p.closed()
	}
}

func TestMaxConnsPerAddr(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxConnsPerAddr = 1 })
	for _, tt := range []struct {
		from string
		ok   bool
	}{
		{"192.0.2.1", true},
		{"192.0.2.1", false},
		{"192.0.2.2", true},
		{"2001:db8:1:2::1", true},
		{"2001:db8:1:2:ffff::1", false}, // one /64
		{"2001:db8:1:3::1", true},
		{"::ffff:192.0.2.2", false}, // an IPv4 address in other clothes
	} {
		p := s.from(t, ip(tt.from))
		if got := p.line(); strings.HasPrefix(got, "+OK ") != tt.ok {
			t.Errorf("%s: %q", tt.from, got)
		}
	}
}

func TestMaxConnsPerUser(t *testing.T) {
	t.Parallel()
	refused := make(chan string, 2)
	s := start(t, func(o *pop3server.Options) {
		o.MaxConnsPerUser = 1
		o.Hooks.ConnRefused = func(limit string) { refused <- limit }
	})
	p := s.pipe(t).signedIn()
	q := s.pipe(t).greeted()
	q.cmd("USER "+user, "+OK ")
	q.cmd("PASS "+password, "-ERR [SYS/TEMP] too many connections")
	q.closed()
	p.quit()
	if len(refused) != 1 || <-refused != "account" {
		t.Error("nobody was told of the limit")
	}
	s.pipe(t).signedIn().quit()
}

func TestMaxBadCommands(t *testing.T) { // S-047
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxBadCommands = 3 })
	p := s.pipe(t).greeted()
	for range 3 {
		p.cmd("XYZZY", "-ERR unknown")
		p.multi("CAPA") // before sign-in a good command in between does not help
	}
	p.cmd("XYZZY", "-ERR too many bad commands")
	p.closed()

	p = s.pipe(t).signedIn()
	for range 10 {
		p.cmd("XYZZY", "-ERR unknown")
		p.cmd("RETR 99", "-ERR no such") // not a bad command
		p.cmd("NOOP", "+OK ")
	}
	for range 3 {
		p.cmd("XYZZY", "-ERR unknown")
	}
	p.cmd("XYZZY", "-ERR too many bad commands")
	p.closed()
}

func TestMaxFailedAuths(t *testing.T) { // S-047
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxFailedAuths = 3 })
	p := s.pipe(t).greeted()
	for range 2 {
		p.cmd("AUTH PLAIN "+b64("\x00"+user+"\x00wrong"), "-ERR [AUTH] ")
	}
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS wrong", "-ERR [AUTH] ")
	p.closed()
}

func TestMaxPreAuthOctets(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxPreAuthOctets = 1000 })
	p := s.pipe(t).greeted()
	p.sendAsync(strings.Repeat("CAPA\r\n", 1000))
	for {
		line := p.want("")
		if strings.HasPrefix(line, "-ERR ") {
			if line != "-ERR too much data before sign-in" {
				t.Errorf("got %q", line)
			}
			break
		}
		p.lines()
	}
	p.closed()

	// One long line does not help, and after sign-in there is no such bound.
	p = s.pipe(t).greeted()
	p.sendAsync(strings.Repeat("x", 5000))
	p.want("-ERR too much data")
	p.closed()
	p = s.pipe(t).signedIn()
	for range 300 {
		p.cmd("NOOP", "+OK ")
	}
	p.quit()
}

// TestFlood: of a thousand connections at once, as many as allowed are served, and all get an answer or the end.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxConns, o.MaxConnsPerAddr = 50, -1 })
	addr := s.tcp(t, false)
	served := 0
	var conns []net.Conn
	for range 300 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	for _, nc := range conns {
		if err := nc.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 3)
		switch _, err := nc.Read(buf); {
		case err != nil && errors.As(err, new(net.Error)):
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				t.Error("a connection got neither answer nor end")
			}
		case string(buf) == "+OK":
			served++
		}
	}
	for _, nc := range conns {
		_ = nc.Close()
	}
	if served != 50 {
		t.Errorf("%d served, want 50", served)
	}
}

// stubListener gives errors, then connections.
type stubListener struct {
	errs chan error
	done chan struct{}
}

type temporary struct{}

func (temporary) Error() string   { return "too many open files" }
func (temporary) Temporary() bool { return true }

func (l stubListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.errs:
		return nil, err
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l stubListener) Close() error   { return nil }
func (l stubListener) Addr() net.Addr { return ip("127.0.0.1") }

// TestAcceptErrors: what may pass is waited out, what does not ends Serve.
func TestAcceptErrors(t *testing.T) {
	synced(t, nil, func(t *testing.T, s *testServer) {
		gone := errors.New("gone")
		ln := stubListener{make(chan error, 10), make(chan struct{})}
		for range 9 {
			ln.errs <- temporary{}
		}
		ln.errs <- gone
		began := time.Now()
		if err := s.Serve(ln); !errors.Is(err, gone) {
			t.Errorf("Serve: %v", err)
		}
		if d := time.Since(began); d < time.Second || d > 5*time.Second {
			t.Errorf("waited %v", d)
		}
		_ = s.Close()
		if err := s.Serve(ln); !errors.Is(err, pop3server.ErrServerClosed) {
			t.Errorf("Serve after Close: %v", err)
		}
	})
}

func TestServeTLSNeedsCertificate(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.TLSConfig = nil })
	if err := s.ServeTLS(stubListener{}); err == nil {
		t.Error("ServeTLS without a certificate")
	}
	if err := s.ServeConnTLS(addrConn{nopConn{}, ip("127.0.0.1")}); err == nil {
		t.Error("ServeConnTLS without a certificate")
	}
}

type nopConn struct{ net.Conn }

func (nopConn) Close() error { return nil }

func TestIDs(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	s := start(t, func(o *pop3server.Options) { o.Hooks.ConnOpen = func(c *pop3server.Conn) { seen <- c.ID() } })
	ids := make(map[string]bool)
	for i := range 10 {
		s.pipe(t).greeted().quit()
		id := <-seen
		if ids[id] || id == "" {
			t.Errorf("connection %s: id %q", strconv.Itoa(i), id)
		}
		ids[id] = true
	}
}
