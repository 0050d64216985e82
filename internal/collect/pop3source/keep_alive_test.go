package pop3source_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// slow is a sink that takes half an hour for some messages.
type slow struct {
	counter
	seen map[string]int
}

func (s *slow) Begin(_ context.Context, l collect.Letter) (collect.Delivery, error) {
	s.seen[l.UID]++
	return slowly{counting{&s.counter}, len(s.seen)%5 == 2}, nil
}

type slowly struct {
	counting
	slow bool
}

func (s slowly) Commit(ctx context.Context) error {
	if s.slow {
		time.Sleep(30 * time.Minute)
	}
	return s.counting.Commit(ctx)
}

// buffered is the end of a connection whose writes do not wait, so that they have no deadline either.
type buffered struct{ net.Conn }

func (b buffered) SetWriteDeadline(time.Time) error { return nil }
func (b buffered) SetDeadline(t time.Time) error    { return b.SetReadDeadline(t) }

// A sink may take longer than the server waits (C-040): with and without messages asked for ahead, each comes once, and
// the session is the same one to its end.
func TestSlowSink(t *testing.T) {
	t.Parallel()
	const messages = 12
	for _, one := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoPipelining=%v", one), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				backend := new(pop3mem.Backend)
				if err := backend.AddAccount("alice", "secret"); err != nil {
					t.Fatal(err)
				}
				for i := range messages {
					body := fmt.Sprintf("Message-ID: <%d@d>\r\n\r\n", i) + strings.Repeat(strings.Repeat("x", 62)+"\r\n", 3000)
					if _, err := backend.Deliver("alice", []byte(body)); err != nil {
						t.Fatal(err)
					}
				}
				srv := pop3server.New(pop3server.Options{Backend: backend, Cleartext: pop3server.CleartextAlways, Logger: slog.New(slog.DiscardHandler)})
				var wg sync.WaitGroup
				dials := 0
				s, err := pop3source.New(pop3source.Options{
					URL: "pop3://alice@h", Password: secret, Cleartext: true,
					Client: pop3client.Options{NoPipelining: one, DialContext: func(context.Context, string, string) (net.Conn, error) {
						dials++
						client, end := net.Pipe()
						wg.Go(func() { _ = srv.ServeConn(newLate(buffered{end}, 0)) })
						return newLate(client, 0), nil
					}},
				})
				if err != nil {
					t.Fatal(err)
				}
				sink := &slow{seen: map[string]int{}}
				a := collect.Account{Name: "a", Source: s, Sinks: []collect.Sink{sink}, Rules: collect.Rules{Delete: true}}
				rep, err := collect.Run(t.Context(), a, collect.Options{Journal: journal(t)})
				if err != nil || rep.Fetched != messages || rep.Deleted != messages || dials != 1 {
					t.Errorf("%+v, %v, %d sessions", rep, err, dials)
				}
				for uid, n := range sink.seen {
					if n != 1 {
						t.Errorf("%s came %d times", uid, n)
					}
				}
				_ = srv.Close()
				wg.Wait()
			})
		})
	}
}

// Nothing can be sent in the middle of a message; at its end, and where NOOP is refused, the session goes on.
func TestKeepAliveWhileReading(t *testing.T) {
	t.Parallel()
	s := open(t, capa("USER,UIDL,PIPELINING"), "C: RETR 1", "C: RETR 2", "S: +OK\nS: one\nS: .", "S: +OK\nS: two\nS: .", "C: NOOP\nS: -ERR what?",
		"C: RETR 2\nS: +OK\nS: two\nS: .")
	alive := s.(collect.KeepAliver)
	ms := []collect.Remote{{Num: 1, Size: 5}, {Num: 2, Size: 5}}
	s.Prepare(t.Context(), collect.OpRetrieve, ms)
	for i, want := range []string{"one\r\n", "two\r\n"} {
		body, err := s.Retrieve(t.Context(), ms[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := alive.KeepAlive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(body); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if i == 0 {
			if err := alive.KeepAlive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}
