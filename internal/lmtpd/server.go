package lmtpd

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("lmtpd: server is closed")

// A Server takes in mail over LMTP. Its methods may be called concurrently.
type Server struct {
	opt     Options
	readers sync.Pool

	ctx  context.Context // ends when sessions are cut
	cut  context.CancelFunc
	done sync.WaitGroup // one for each session

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// New returns a Server. It panics if Store or Directory is missing: that is a mistake of the program.
func New(opt Options) *Server {
	if opt.Store == nil || opt.Directory == nil {
		panic("lmtpd: Options without Store or Directory")
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{
		opt:       opt.withDefaults(),
		readers:   sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufSize) }},
		ctx:       ctx,
		cut:       cancel,
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
	}
}

// Serve accepts connections from l until Shutdown, which makes it return ErrClosed, or until l fails. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = l.Close()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		_ = l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isClosing() {
				return ErrClosed
			}
			var passing interface{ Temporary() bool }
			if !errors.As(err, &passing) || !passing.Temporary() {
				return err
			}
			// Most likely out of file descriptors: some will come free.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opt.Logger.Warn("lmtp: connection not accepted", "err", err, "retry", pause)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
			continue
		}
		pause = 0
		s.start(nc)
	}
}

// start gives a connection its goroutine, if there is room for it.
func (s *Server) start(nc net.Conn) {
	c := &conn{srv: s, nc: nc, opt: &s.opt}
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := len(s.conns) >= s.opt.MaxConnections
	if refused && !s.closing && s.opt.ConnRefused != nil {
		s.opt.ConnRefused()
	}
	if s.closing || len(s.conns) >= 2*s.opt.MaxConnections {
		_ = nc.Close() // Shutdown may be over; or there are too many even to be told so
		return
	}
	s.conns[c] = struct{}{}
	s.done.Go(func() {
		defer func() {
			_ = nc.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
		if refused {
			c.refuse(reply{421, "4.3.2", "too many connections, try again later"})
			return
		}
		if s.opt.ConnOpen != nil {
			s.opt.ConnOpen()
		}
		if s.opt.ConnClose != nil {
			defer s.opt.ConnClose()
		}
		c.serve()
	})
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Connections returns how many connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop makes Serve return and ends each session at its next command: one in the middle of a message still takes it in and
// answers. It does not wait; Shutdown does.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		c.wake()
	}
}

// Shutdown stops the server and waits for its sessions. When ctx ends first, it cuts them: a message that was not
// answered may be there or not, and the MTA will send it again. It returns ctx's error then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Stop()
	defer s.cut()
	if s.Wait(ctx) == nil {
		return nil
	}
	s.cut()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
	return ctx.Err()
}

// Wait returns nil when all sessions have ended, or ctx's error when it ends first. It stops nothing: end Serve by closing
// its listener, so that no more connections come.
func (s *Server) Wait(ctx context.Context) error {
	finished := make(chan struct{})
	go func() { s.done.Wait(); close(finished) }()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) logger(c *conn) *slog.Logger { return s.opt.Logger.With("remote", c.peer()) }
