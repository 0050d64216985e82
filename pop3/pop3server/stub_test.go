package pop3server_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

// A stub is a backend whose every step a test can replace. It lets everybody in.
type stub struct {
	auth    func(*pop3server.Conn) pop3server.Auth
	open    func(context.Context) error
	scan    func() (pop3server.Listing, error)
	message func(context.Context, int) (pop3server.Body, error)
	update  func(context.Context, pop3server.Outcome) error
	list    pop3server.Listing

	opened, closed atomic.Int32
}

func (s *stub) Auth(c *pop3server.Conn) pop3server.Auth {
	if s.auth != nil {
		return s.auth(c)
	}
	return pop3server.Auth{Password: func(_ context.Context, _, _, user, _ string) (pop3server.Identity, error) {
		return pop3server.Identity{User: user}, nil
	}}
}

func (s *stub) Open(ctx context.Context, _ *pop3server.Conn, _ pop3server.Identity) (pop3server.Maildrop, error) {
	if s.open != nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	s.opened.Add(1)
	return s, nil
}

func (s *stub) Scan(context.Context) (pop3server.Listing, error) {
	if s.scan != nil {
		return s.scan()
	}
	return s.list, nil
}

func (s *stub) Message(ctx context.Context, i int) (pop3server.Body, error) { return s.message(ctx, i) }

func (s *stub) Update(ctx context.Context, u pop3server.Outcome) error {
	if s.update != nil {
		return s.update(ctx, u)
	}
	return nil
}

func (s *stub) Close() error {
	s.closed.Add(1)
	return nil
}

// balanced checks that each maildrop was closed exactly once.
func (s *stub) balanced(t testing.TB) {
	t.Helper()
	if o, c := s.opened.Load(), s.closed.Load(); o != c {
		t.Errorf("%d maildrops opened, %d closed", o, c)
	}
}

// sizes is a listing of messages of these sizes.
type sizes []int64

func (l sizes) Len() int         { return len(l) }
func (l sizes) Size(i int) int64 { return l[i] }
func (l sizes) Octets() (n int64) {
	for _, s := range l {
		n += s
	}
	return n
}

func (l sizes) AppendUID(dst []byte, i int) []byte {
	return append(dst, "0123456789abcdef0123456789abcde"[:30]+string(rune('a'+i%26))...)
}

// body is a Body that reads from r.
func body(form pop3server.Form, r io.Reader, size int) pop3server.Body {
	return pop3server.Body{R: io.NopCloser(r), Form: form, Size: int64(size)}
}

// text is a Body of these octets.
func text(form pop3server.Form, s []byte) pop3server.Body {
	return body(form, bytes.NewReader(s), len(s))
}

// over serves one connection over a pipe from a stub and returns the signed-in peer.
func (s *stub) serve(t testing.TB, change func(*pop3server.Options)) *peer {
	t.Helper()
	return s.server(t, change).pipe(t)
}

func (s *stub) server(t testing.TB, change func(*pop3server.Options)) *testServer {
	t.Helper()
	opt := pop3server.Options{Backend: s, Cleartext: pop3server.CleartextLoopback}
	if change != nil {
		change(&opt)
	}
	srv := &testServer{Server: pop3server.New(opt)}
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// Interfaces that the doubles have.
var (
	_ pop3server.Backend  = (*stub)(nil)
	_ pop3server.Maildrop = (*stub)(nil)
	_ net.Conn            = addrConn{}
)
