package lmtpd

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	var refused atomic.Int32
	_, tcp, _ := newServer(t, Options{MaxConnections: 2, ConnRefused: func() { refused.Add(1) }})
	first, second := dial(t, tcp), dial(t, tcp)
	first.want("220*")
	second.want("220*")
	third := dial(t, tcp)
	third.want("421 4.3.2 too many connections*")
	third.wantEOF()
	if n := refused.Load(); n != 1 {
		t.Errorf("%d connections were counted as refused", n)
	}
	first.play("C: QUIT\nS: 221*\nS|")
}

func TestTooManyRecipients(t *testing.T) {
	t.Parallel()
	_, tcp, _ := newServer(t, Options{MaxRecipients: 2})
	p := dial(t, tcp)
	p.hello("pat", "green")
	p.play("C: RCPT TO:<anna>\nS: 452 4.5.3*\nC: DATA\nS: 354*\nC: .\nS: 250*\nS: 250*")
}

func TestTooManyBadCommands(t *testing.T) {
	t.Parallel()
	_, tcp, _ := newServer(t, Options{MaxBadCommands: 3})
	p := dial(t, tcp)
	p.want("220*")
	p.play("C: x\nS: 500*\nC: x\nS: 500*\nC: NOOP\nS: 250*") // a good one forgives
	p.play("C: x\nS: 500*\nC: x\nS: 500*\nC: x\nS: 500*\nS: 421 4.7.0*\nS|")
}

func TestEndlessCommandLine(t *testing.T) {
	t.Parallel()
	_, tcp, _ := newServer(t, Options{})
	p := dial(t, tcp)
	p.want("220*")
	p.send(strings.Repeat("x", bufSize))
	p.want("421 4.7.0 line is too long")
}

func TestStop(t *testing.T) {
	t.Parallel()
	store := &fakeStore{committing: make(chan struct{})}
	srv, tcp, unix := newServer(t, Options{Store: store})
	idle, busy := dial(t, tcp), dial(t, unix)
	idle.hello("pat")
	busy.hello("pat")
	busy.play("C: DATA\nS: 354*\nC: half")
	srv.Stop()
	idle.want("421 4.3.2 closing down, try again later")
	idle.wantEOF()
	busy.send("other half\r\n.\r\n")
	<-store.committing // it is taken in all the same
	store.committing <- struct{}{}
	busy.want("250 2.0.0 <pat> delivered")
	busy.want("421 4.3.2*")
	busy.wantEOF()
	if _, err := net.Dial("tcp", tcp.String()); err == nil {
		t.Error("a stopped server accepts")
	}
}

// A connection that was accepted while the server closed is nobody's: Shutdown may have returned and waits for no more.
func TestNoSessionAfterShutdown(t *testing.T) {
	t.Parallel()
	srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}})
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	srv.start(server)
	if got, err := io.ReadAll(client); len(got) != 0 || err != nil || srv.Connections() != 0 {
		t.Errorf("%q, %v, %d connections; want that it is closed", got, err, srv.Connections())
	}
}

// A session that is woken while it is about to wait for a command does not wait: else Stop would take until its timeout.
func TestWokenBeforeItWaits(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}})
	c := &conn{srv: srv, nc: server, opt: &srv.opt}
	if err := c.armRead(); err != nil {
		t.Fatal(err)
	}
	c.wake()
	if err := c.armRead(); !errors.Is(err, errClosing) {
		t.Errorf("%v, want that the server is closing", err)
	}
	c.setInData(true)
	if err := c.armRead(); err != nil {
		t.Errorf("in a message: %v", err)
	}
	_ = server.Close()
}

func TestShutdownCutsWhoDoesNotFinish(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	srv, tcp, _ := newServer(t, Options{Store: store})
	p := dial(t, tcp)
	p.hello("pat")
	p.play("C: DATA\nS: 354*\nC: half")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v, want that its time was over", err)
	}
	if len(store.all()) != 0 || store.aborted != 1 {
		t.Errorf("%d stored, %d given up, want 0 and 1", len(store.all()), store.aborted)
	}
	if err := srv.Serve(nopListener{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve after Shutdown: %v, want ErrClosed", err)
	}
}

type nopListener struct{ net.Listener }

func (nopListener) Close() error { return nil }

// pipeListener accepts what Dial makes, inside of a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

func TestTimeouts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before func(p *peer)
		alive  time.Duration // after which the session is still there
		dead   time.Duration // after which it is not
		last   string
	}{
		{"no command", func(p *peer) { p.want("220*") }, 4*time.Minute + 59*time.Second, 2 * time.Second, "421 4.4.2*"},
		{"no more of the message", func(p *peer) {
			p.hello("pat")
			p.play("C: DATA\nS: 354*\nC: half")
		}, 2*time.Minute + 59*time.Second, 2 * time.Second, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}, Hostname: "foo.edu"})
				l := &pipeListener{make(chan net.Conn), make(chan struct{})}
				served := make(chan error)
				go func() { served <- srv.Serve(l) }()
				nc, theirs := net.Pipe()
				l.conns <- theirs
				p := newPeer(t, nc)
				tt.before(p)
				time.Sleep(tt.alive) // the bubble's clock: takes no time
				synctest.Wait()
				if srv.Connections() != 1 {
					t.Fatalf("session is gone before %v", tt.alive)
				}
				if tt.last != "" {
					p.want(tt.last)
				}
				time.Sleep(tt.dead)
				synctest.Wait()
				p.wantEOF()
				if n := srv.Connections(); n != 0 {
					t.Errorf("%d sessions after the timeout", n)
				}
				if err := srv.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				<-served
			})
		})
	}
}

// Octets that make no command do not give it more time.
func TestDrippingCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}, Hostname: "foo.edu"})
		nc, theirs := net.Pipe()
		srv.start(theirs)
		p := newPeer(t, nc)
		p.want("220*")
		time.Sleep(4 * time.Minute)
		p.play("C: NOOP\nS: 250*") // this one does
		began := time.Now()
		for _, octet := range "NO" {
			p.send(string(octet))
			time.Sleep(2 * time.Minute)
		}
		p.want("421 4.4.2*")
		if d := time.Since(began); d != 5*time.Minute {
			t.Errorf("the command had %v", d)
		}
		p.wantEOF()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Octets that make no message hold the connection for an hour at most, and Stop no longer than that.
func TestDrippingMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		srv := New(Options{Store: store, Directory: fakeDirectory{}, Hostname: "foo.edu"})
		nc, theirs := net.Pipe()
		srv.start(theirs)
		p := newPeer(t, nc)
		p.hello("pat")
		p.play("C: DATA\nS: 354*")
		srv.Stop()
		began := time.Now()
		for {
			if _, err := io.WriteString(nc, "x"); err != nil {
				break
			}
			time.Sleep(2 * time.Minute)
		}
		if d := time.Since(began); d < time.Hour || d > time.Hour+2*time.Minute {
			t.Errorf("the message had %v", d)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if len(store.all()) != 0 || store.aborted != 1 {
			t.Errorf("%d stored, %d given up, want 0 and 1", len(store.all()), store.aborted)
		}
	})
}

// Out of file descriptors, the server waits and goes on; a listener that is broken ends it.
func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}, Hostname: "foo.edu"})
		nc, theirs := net.Pipe()
		broken := errors.New("broken")
		l := &scriptedListener{errs: []error{syscall.EMFILE, syscall.EMFILE, nil, broken}, conn: theirs}
		start := time.Now()
		if err := srv.Serve(l); !errors.Is(err, broken) {
			t.Errorf("Serve: %v, want %v", err, broken)
		}
		if took := time.Since(start); took != 15*time.Millisecond {
			t.Errorf("waited %v, want 5 and 10 ms", took)
		}
		newPeer(t, nc).play("S: 220*\nC: QUIT\nS: 221*\nS|")
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A scriptedListener fails as told; a nil error is a connection.
type scriptedListener struct {
	errs []error
	conn net.Conn
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	if err != nil {
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return l.conn, nil
}

func (l *scriptedListener) Close() error   { return nil }
func (l *scriptedListener) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }
