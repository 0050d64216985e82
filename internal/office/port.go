package office

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A port is an open listening socket that outlives the servers behind it: a reload leases it to the next server, and
// connections that wait in the kernel's queue are not lost.
type port struct {
	service string // "pop3", "pop3s", "lmtp", "metrics"
	address string // as configured
	l       deadlineListener
	// inherited ports were opened by systemd and stay open as long as we live.
	inherited bool
}

// deadlineListener is what *net.TCPListener and *net.UnixListener have in common.
type deadlineListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(t time.Time) error
}

// lease returns a Listener for one server. There may be one lease at a time: the former one must be closed.
func (p *port) lease() *lease { return &lease{p: p} }

// A lease accepts from a port until it is closed. Closing it leaves the port open. What Accept returns is the bare
// connection, so that nothing is in the way of sendfile.
type lease struct {
	p  *port
	mu sync.Mutex // held by Accept

	state  sync.Mutex
	closed bool
}

// Accept implements net.Listener.
func (l *lease) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.isClosed() {
			return nil, net.ErrClosed
		}
		c, err := l.p.l.Accept()
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			continue // Close woke us
		}
		return c, err
	}
}

// Close implements net.Listener. When it returns, no Accept of the lease is under way.
func (l *lease) Close() error {
	l.state.Lock()
	first := !l.closed
	l.closed = true
	l.state.Unlock()
	if !first {
		return nil
	}
	// A past deadline wakes Accept; nobody accepts from the port when it is taken away again.
	_ = l.p.l.SetDeadline(time.Unix(1, 0))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.p.l.SetDeadline(time.Time{})
}

// Addr implements net.Listener.
func (l *lease) Addr() net.Addr { return l.p.l.Addr() }

// SyscallConn implements syscall.Conn: options that a server sets stay with the port, until the next one sets its own.
func (l *lease) SyscallConn() (syscall.RawConn, error) { return l.p.l.SyscallConn() }

func (l *lease) isClosed() bool {
	l.state.Lock()
	defer l.state.Unlock()
	return l.closed
}
