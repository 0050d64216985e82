package pop3server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
)

// ErrServerClosed is returned by Serve and its kin after Shutdown or Close.
var ErrServerClosed = errors.New("pop3server: server closed")

// A Server serves POP3. Make it with New.
type Server struct {
	opt     Options
	tls     *tls.Config // nil without TLS
	prefix  string      // of connection ids
	lastID  atomic.Uint64
	nap     time.Duration
	sleeps  func() // a test wants to know when a session sleeps
	perAddr tally[netip.Prefix]
	perUser tally[string]

	mu        sync.Mutex
	stopping  bool
	stopped   chan struct{} // closed when stopping begins
	listeners map[net.Listener]struct{}
	conns     map[*Conn]struct{}
	refusals  int           // connections being turned away
	active    int           // goroutines that have a connection
	idle      chan struct{} // closed when active falls to 0; a new one when it rises
}

// New returns a Server. It panics if there is no Backend.
func New(opt Options) *Server {
	if opt.Backend == nil {
		panic("pop3server: Options.Backend is nil")
	}
	opt = opt.withDefaults()
	var prefix [3]byte
	_, _ = rand.Read(prefix[:]) // never fails (crypto/rand)
	s := &Server{
		opt:       opt,
		nap:       nap,
		prefix:    hex.EncodeToString(prefix[:]),
		stopped:   make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*Conn]struct{}),
	}
	s.tls = s.serverTLS(opt.TLSConfig)
	return s
}

// Serve accepts connections for POP3 with STLS and serves each in a goroutine. It returns ErrServerClosed after
// Shutdown or Close, else the listener's error. It closes the listener.
func (s *Server) Serve(ln net.Listener) error { return s.serve(ln, false) }

// ServeTLS is Serve for POP3S: TLS from the first octet (RFC 8314 §3.1).
func (s *Server) ServeTLS(ln net.Listener) error {
	if s.tls == nil {
		_ = ln.Close()
		return errors.New("pop3server: ServeTLS needs Options.TLSConfig with a certificate")
	}
	return s.serve(ln, true)
}

// ServeConn serves one connection and returns when it has ended. A connection that it is refused gets its answer.
func (s *Server) ServeConn(nc net.Conn) error { return s.serveConn(nc, false) }

// ServeConnTLS is ServeConn for POP3S.
func (s *Server) ServeConnTLS(nc net.Conn) error {
	if s.tls == nil {
		_ = nc.Close()
		return errors.New("pop3server: ServeConnTLS needs Options.TLSConfig with a certificate")
	}
	return s.serveConn(nc, true)
}

func (s *Server) serveConn(nc net.Conn, implicitTLS bool) error {
	if !s.begin() {
		_ = nc.Close()
		return ErrServerClosed
	}
	defer s.finish()
	c := s.admit(nc, implicitTLS)
	if c == nil {
		return errors.New("pop3server: connection refused because of a limit")
	}
	c.peers = watchPeers(nil, s.opt.PeerTimeout)
	for c.run() {
		c.sock.wait()
	}
	return nil
}

func (s *Server) serve(ln net.Listener, implicitTLS bool) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		_ = ln.Close()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, ln)
		s.mu.Unlock()
		_ = ln.Close()
	}()

	peers := watchPeers(ln, s.opt.PeerTimeout)
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		if err == nil {
			pause = 0
			s.start(nc, implicitTLS, peers)
			continue
		}
		var temporary interface{ Temporary() bool }
		switch {
		case s.isStopping():
			return ErrServerClosed
		case !errors.As(err, &temporary) || !temporary.Temporary():
			return err
		}
		// Most likely out of file descriptors: some will come free.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opt.Logger.Error("cannot accept connections", "err", err, "pause", pause)
		if !s.pause(pause) {
			return ErrServerClosed
		}
	}
}

// pause waits, unless the server stops.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stopped:
		return false
	}
}

// start serves nc in a goroutine that Shutdown and Close wait for.
func (s *Server) start(nc net.Conn, implicitTLS bool, peers *peerWatch) {
	if !s.begin() {
		_ = nc.Close()
		return
	}
	go s.turn(func() *Conn {
		c := s.admit(nc, implicitTLS)
		if c != nil {
			c.peers = peers
		}
		return c
	})
}

// turn runs the session that get returns, if any, until it sleeps or ends.
func (s *Server) turn(get func() *Conn) {
	var c *Conn
	asleep := false
	defer func() {
		if asleep {
			go c.sleep()
		} else {
			s.finish()
		}
	}()
	if c = get(); c != nil {
		asleep = c.run()
	}
}

// begin counts one more goroutine that has a connection, unless the server is stopping.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if s.active == 0 {
		s.idle = make(chan struct{})
	}
	s.active++
	return true
}

// finish counts one less.
func (s *Server) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.active == 0 {
		close(s.idle)
	}
}

// admit lets a connection in, or turns it away and returns nil. It asks for the address only when the connection has its
// place, for behind some listeners that waits for the client.
func (s *Server) admit(nc net.Conn, implicitTLS bool) *Conn {
	c := s.newConn(nc, implicitTLS)
	s.mu.Lock()
	stopping, full := s.stopping, over(len(s.conns)+1, s.opt.MaxConns)
	if !stopping && !full {
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	switch {
	case stopping:
		s.refuse(c, "", "server is shutting down")
		return nil
	case full:
		s.refuse(c, "connections", "too many connections")
		return nil
	}
	c.locate()
	if c.remote.IsValid() {
		if !s.perAddr.enter(network(c.remote.Addr()), s.opt.MaxConnsPerAddr) {
			s.forget(c)
			s.refuse(c, "address", "too many connections from your address")
			return nil
		}
		c.counted = true
	}
	return c
}

// forget takes a connection that has ended out of all counts.
func (s *Server) forget(c *Conn) {
	if c.counted {
		c.counted = false
		s.perAddr.leave(network(c.remote.Addr()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Bounds on turning connections away.
const (
	maxRefusals   = 256
	refusalWindow = time.Second
)

// refuse says why there is no service and closes (RFC 3206 §4), but not at any price: a POP3S client would need a
// handshake first, and of many at a time only some get the answer.
func (s *Server) refuse(c *Conn, limit, text string) {
	defer func() { _ = c.nc.Close() }()
	c.cancel()
	if h := s.opt.Hooks.ConnRefused; h != nil && limit != "" {
		h(limit)
	}
	s.mu.Lock()
	ok := s.refusals < maxRefusals && !c.implicitTLS
	if ok {
		s.refusals++
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	_ = c.nc.SetDeadline(time.Now().Add(refusalWindow))
	_, _ = c.nc.Write(wire.AppendErr(nil, string(pop3.CodeSysTemp), text))
	c.linger()
	s.mu.Lock()
	s.refusals--
	s.mu.Unlock()
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// stop closes listeners and calls f for each connection.
func (s *Server) stop(f func(*Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.stopping = true
		close(s.stopped)
	}
	for ln := range s.listeners {
		_ = ln.Close()
	}
	for c := range s.conns {
		f(c)
	}
}

// Shutdown stops the server gently: no more connections are accepted, idle ones are closed without a word, commands that
// have arrived are finished. Marks of sessions that did not get to QUIT are dropped. It returns nil when all sessions
// have ended, or ctx's error; Close then ends the rest.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop((*Conn).drain)
	return s.Wait(ctx)
}

// Close stops the server at once: connections are cut. It returns when all sessions have given back their maildrops; an
// Update that is under way is finished.
func (s *Server) Close() error {
	s.stop((*Conn).cut)
	return s.Wait(context.Background())
}

// Wait returns nil when there are no sessions, or ctx's error when it ends first. It stops nothing: end Serve by closing
// its listener, so that no more connections come, and let another Server take their place. Shutdown, which ends sessions,
// can be called meanwhile.
func (s *Server) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		active, idle := s.active, s.idle
		s.mu.Unlock()
		if active == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
