package collect_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// A server is a real POP3 server with mail in memory, on connections that can be made to fail.
type server struct {
	backend *pop3mem.Backend
	inner   *pop3server.Server
	wait    sync.WaitGroup
}

func newServer(tb testing.TB) *server {
	tb.Helper()
	s := &server{backend: new(pop3mem.Backend)}
	s.inner = pop3server.New(pop3server.Options{
		Backend: s.backend, Cleartext: pop3server.CleartextAlways,
		MaxConnsPerAddr: -1, MaxConnsPerUser: -1, Logger: slog.New(slog.DiscardHandler),
	})
	tb.Cleanup(func() {
		_ = s.inner.Close()
		s.wait.Wait()
	})
	return s
}

const password = "geheim"

func (s *server) add(tb testing.TB, user string, letters []letter) {
	tb.Helper()
	if err := s.backend.AddAccount(user, password); err != nil {
		tb.Fatal(err)
	}
	for _, l := range letters {
		if err := s.backend.DeliverUID(user, l.uid, []byte(l.body)); err != nil {
			tb.Fatal(err)
		}
	}
}

// dial connects to the server through a pipe of the kernel's. wrap, if set, stands between.
func (s *server) dial(wrap func(net.Conn) net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, end := net.Pipe()
		s.wait.Go(func() { _ = s.inner.ServeConn(end) })
		if wrap != nil {
			return wrap(client), nil
		}
		return client, nil
	}
}

func (s *server) source(tb testing.TB, user string, client pop3client.Options) *pop3source.Source {
	tb.Helper()
	source, err := pop3source.New(pop3source.Options{
		URL: "pop3://" + user + "@pop.example.com", Cleartext: true, Client: client,
		Password: func(context.Context) (string, error) { return password, nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return source
}

// A faulty connection fails after so many octets from the server: it is cut, or silent from then on.
type faulty struct {
	net.Conn
	left  *atomic.Int64
	stall bool
	count *atomic.Int64
}

var errCut = errors.New("cut")

func (f *faulty) Read(p []byte) (int, error) {
	left := f.left.Load()
	if left <= 0 {
		if f.stall {
			for { // the deadline of the client ends it
				if _, err := f.Conn.Read(make([]byte, 1<<10)); err != nil {
					return 0, err
				}
			}
		}
		_ = f.Conn.Close()
		return 0, errCut
	}
	n, err := f.Conn.Read(p[:min(int64(len(p)), left)])
	f.left.Add(-int64(n))
	f.count.Add(int64(n))
	return n, err
}

const stallTimeout = 50 * time.Millisecond
