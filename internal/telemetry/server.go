package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Server serves /metrics (Prometheus) and /healthz. It asks for no password, so it belongs on the loopback.
type Server struct {
	http   http.Server
	health *Health
}

const (
	// maxConns bounds the connections to the page. A monitoring system needs one.
	maxConns = 32
	// maxScrapes bounds scrapes at the same time: each gathers all metrics.
	maxScrapes = 4
)

// NewServer returns a server. log gets what goes wrong with connections; nil for none.
func NewServer(m *Metrics, h *Health, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		Timeout:             5 * time.Second,
	}))
	mux.Handle("GET /healthz", h)
	return &Server{
		health: h,
		http: http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       5 * time.Second,
			WriteTimeout:      15 * time.Second,
			IdleTimeout:       2 * time.Minute, // Prometheus scrapes once a minute over one connection
			MaxHeaderBytes:    8 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
}

// Serve serves connections of l until Shutdown, then it returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(&boundedListener{Listener: l, slots: make(chan struct{}, maxConns), closed: make(chan struct{})})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("telemetry: serving metrics on %s: %w", l.Addr(), err)
}

// Shutdown stops: requests under way are finished until ctx ends, then they are cut.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return errors.Join(err, s.health.wait(ctx))
}

// boundedListener accepts as many connections as there are slots; further ones wait in the kernel.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: conn, slots: l.slots}, nil
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	once  sync.Once
	slots chan struct{}
}

func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}
