package pop3server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// A Conn is one connection. Backends and hooks are given it to ask about the other end; its methods may be called by
// any goroutine.
type Conn struct {
	s           *Server
	id          uint64
	nc          net.Conn
	remote      netip.AddrPort
	local       bool // the other end is on this machine
	implicitTLS bool
	peers       *peerWatch
	counted     bool // in s.perAddr
	started     time.Time
	ctx         context.Context // ends with the connection
	cancel      context.CancelFunc

	// What follows is the session's own, but for mu and what it guards.
	r     *wire.LineReader
	w     *wire.Writer
	dot   wire.DotWriter
	in    source
	out   sink
	state pop3.State
	auth  Auth
	apop  string // the timestamp of the greeting; empty if APOP is not offered
	name  string // of a USER that was the last command
	given string // of a USER that was the command before this one
	user  string // of the session, in s.perUser
	drop  drop
	sock  *socket // if the session can sleep
	slept bool    // there is something to read, or to be told, after a sleep
	bad   int     // commands, see MaxBadCommands
	fails int     // sign-ins, see MaxFailedAuths
	sum   Summary

	cert     *tls.Certificate // what we showed
	resumed  func()           // finds cert in place of a handshake that shows none
	bindings []sasl.ChannelBinding

	mu       sync.Mutex
	tls      *tls.Conn
	draining bool
	reading  deadline
	calling  context.CancelFunc // of the call of the backend that is under way
}

func (s *Server) newConn(nc net.Conn, implicitTLS bool) *Conn {
	c := &Conn{s: s, id: s.lastID.Add(1), nc: nc, implicitTLS: implicitTLS, started: time.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	stream := direct(nc)
	if sock, ok := stream.(*socket); ok && s.opt.IdleTimeout > 2*s.nap {
		c.sock = sock
	}
	c.in = source{c: c, stream: stream}
	c.out = sink{stream: stream, patience: patience{timeout: s.opt.WriteTimeout, queued: c.queued}}
	c.r = wire.NewLineReader(&c.in, wire.MinBuffer)
	c.r.BareLF = s.opt.BareLF
	c.w = wire.NewWriter(&c.out)
	return c
}

// locate finds out where the other end is.
func (c *Conn) locate() {
	switch a := c.nc.RemoteAddr().(type) {
	case nil:
	case *net.TCPAddr:
		c.setRemote(a.AddrPort())
	case *net.UnixAddr:
		c.local = true
	default:
		if ap, err := netip.ParseAddrPort(a.String()); err == nil {
			c.setRemote(ap)
		} else {
			c.local = a.Network() == "pipe"
		}
	}
}

func (c *Conn) setRemote(ap netip.AddrPort) {
	c.remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	c.local = c.remote.Addr().IsLoopback()
}

// ID returns a short text that no other connection of this process and hardly one of another has, for logs.
func (c *Conn) ID() string { return c.s.prefix + "-" + strconv.FormatUint(c.id, 36) }

// RemoteAddr returns the other end's address, IPv4 addresses in their 4-octet form. It is invalid if the connection is
// not of TCP.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// NetConn returns the connection as it was accepted, without TLS, to look at, not to use.
func (c *Conn) NetConn() net.Conn { return c.nc }

// TLS returns the state of TLS. ok is false if there is none.
func (c *Conn) TLS() (state tls.ConnectionState, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tls == nil {
		return tls.ConnectionState{}, false
	}
	return c.tls.ConnectionState(), true
}

// ImplicitTLS reports whether the connection came in over ServeTLS or ServeConnTLS: TLS from the first octet.
func (c *Conn) ImplicitTLS() bool { return c.implicitTLS }

// secure reports whether TLS is active. Only the connection's goroutine sets it, so that one need not lock.
func (c *Conn) secure() bool { return c.tls != nil }

// drain ends the connection when it next waits for input.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	_ = c.nc.SetReadDeadline(past)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// cut ends the connection at once.
func (c *Conn) cut() {
	c.drain()
	c.cancel()
	c.mu.Lock()
	stop := c.calling
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	_ = c.nc.Close()
}

// expect gives the other end at least d from now to send something, unless the server is shutting down.
func (c *Conn) expect(d time.Duration) error {
	return c.arm(func() (time.Time, bool) { return c.reading.extend(time.Now(), d) })
}

// arm sets the deadline for reading to what extend says, unless the server is shutting down.
func (c *Conn) arm(extend func() (time.Time, bool)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return end(ReasonShutdown, nil)
	}
	if at, ok := extend(); ok {
		if err := c.nc.SetReadDeadline(at); err != nil {
			return end(ReasonClosed, err)
		}
	}
	return nil
}

func (c *Conn) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// backend returns a context for one call of the backend, which ends when the connection is cut. There is one at a time. It
// is no child of c.ctx: a context that ever had a child keeps 0.5 KiB for them, here for as long as the session idles.
func (c *Conn) backend() (context.Context, context.CancelFunc) {
	ctx, stop := context.WithTimeout(context.Background(), c.s.opt.BackendTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calling = stop
	if c.ctx.Err() != nil { // cut saw no call
		stop()
	}
	return ctx, func() {
		stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calling = nil
	}
}
