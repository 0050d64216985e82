package pop3source_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// A counter is a sink that keeps nothing.
type counter struct{ messages, octets atomic.Int64 }

func (c *counter) Name() string { return "counter" }
func (c *counter) Safe() bool   { return true }
func (c *counter) Close() error { return nil }
func (c *counter) Begin(context.Context, collect.Letter) (collect.Delivery, error) {
	return counting{c}, nil
}

type counting struct{ *counter }

func (c counting) Write(p []byte) (int, error) {
	c.octets.Add(int64(len(p)))
	return len(p), nil
}
func (c counting) Commit(context.Context) error { c.messages.Add(1); return nil }
func (c counting) Abort()                       {}

func journal(tb testing.TB) *collect.Journal {
	tb.Helper()
	db, err := catalog.Open(context.Background(), filepath.Join(tb.TempDir(), "journal.db"), catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	j, err := collect.NewJournal(context.Background(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// late is a connection on which what is written arrives later, in order, whatever its rate.
type late struct {
	net.Conn
	delay time.Duration
	queue chan piece
	done  chan struct{}
	once  sync.Once
}

type piece struct {
	octets  []byte
	arrives time.Time
}

func newLate(c net.Conn, delay time.Duration) *late {
	l := &late{Conn: c, delay: delay, queue: make(chan piece, 1<<16), done: make(chan struct{})}
	go func() { // ends with Close
		for {
			select {
			case p := <-l.queue:
				time.Sleep(time.Until(p.arrives))
				if _, err := c.Write(p.octets); err != nil {
					return
				}
			case <-l.done:
				for len(l.queue) > 0 { // what was written before the end still arrives
					p := <-l.queue
					time.Sleep(time.Until(p.arrives))
					if _, err := c.Write(p.octets); err != nil {
						break
					}
				}
				_ = c.Close()
				return
			}
		}
	}()
	return l
}

func (l *late) Write(p []byte) (int, error) {
	l.queue <- piece{append([]byte(nil), p...), time.Now().Add(l.delay)}
	return len(p), nil
}

func (l *late) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Over a round trip of 50 ms, fetching and deleting 1,000 messages of 5 KB is more than ten times as fast with a server
// that announces PIPELINING as one command after the other. The clock is that of a bubble: what counts is waiting.
func TestDrainsFromAfar(t *testing.T) {
	t.Parallel()
	const messages, roundTrip = 1000, 50 * time.Millisecond
	drain := func(t *testing.T, one bool) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			backend := new(pop3mem.Backend)
			if err := backend.AddAccount("alice", "secret"); err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				body := fmt.Sprintf("Message-ID: <%d@d>\r\n\r\n", i) + strings.Repeat(strings.Repeat("x", 62)+"\r\n", 80)
				if _, err := backend.Deliver("alice", []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			srv := pop3server.New(pop3server.Options{Backend: backend, Cleartext: pop3server.CleartextAlways, Logger: slog.New(slog.DiscardHandler)})
			var wg sync.WaitGroup
			s, err := pop3source.New(pop3source.Options{
				URL: "pop3://alice@h", Password: secret, Cleartext: true,
				Client: pop3client.Options{NoPipelining: one, DialContext: func(context.Context, string, string) (net.Conn, error) {
					client, end := net.Pipe()
					wg.Go(func() { _ = srv.ServeConn(newLate(end, roundTrip/2)) })
					return newLate(client, roundTrip/2), nil
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			sink := &counter{}
			a := collect.Account{Name: "a", Source: s, Sinks: []collect.Sink{sink}, Rules: collect.Rules{Delete: true}}
			begun := time.Now()
			rep, err := collect.Run(t.Context(), a, collect.Options{Journal: journal(t)})
			took = time.Since(begun)
			if err != nil || rep.Fetched != messages || rep.Deleted != messages {
				t.Errorf("%+v, %v", rep, err)
			}
			_ = srv.Close()
			wg.Wait()
		})
		return took
	}
	slow, fast := drain(t, true), drain(t, false)
	t.Logf("%d messages of 5 KB: %v one by one, %v pipelined: %.0f times as fast", messages, slow, fast, float64(slow)/float64(fast))
	if fast*10 > slow {
		t.Errorf("%v pipelined, %v one by one: want a tenth", fast, slow)
	}
}

// A message of 256 MB goes through in constant memory.
func TestLargeMessageInConstantMemory(t *testing.T) { // it measures the heap
	line := strings.Repeat("0123456789abcdef", 4)[:62] + "\r\n"
	lines := int64(256 << 20 / 64)
	if testing.Short() {
		lines /= 8
	}
	head := "Message-ID: <big@example.org>\r\n\r\n"
	peer := append(dialogue(greeting, noCapa, signIn, "C: CAPA", noCapa, "C: LIST", "S: +OK", "S: 1 268435456", "S: .",
		"C: UIDL", "S: +OK", "S: 1 big", "S: .", "C: RETR 1", "S: +OK"),
		pop3test.Send(head), pop3test.SendRepeated(line, lines), pop3test.Send(".\r\n"))
	s := source(t, append(peer, dialogue(quit)...)...)
	sink, most := &counter{}, uint64(0)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rep, err := collect.Run(t.Context(), collect.Account{Name: "a", Source: s, Sinks: []collect.Sink{sink}}, collect.Options{
		Journal: journal(t),
		Progress: func(e collect.Event) {
			if e.Octets%(16<<20) < 64<<10 {
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		},
	})
	if err != nil || rep.Fetched != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if want := int64(len(head)) + lines*64; sink.octets.Load() != want {
		t.Errorf("%d octets, want %d", sink.octets.Load(), want)
	}
	grown := int64(most) - int64(before.HeapAlloc) // far below
	t.Logf("%d octets, heap grew by %d KiB", rep.Octets, grown>>10)
	if grown > 24<<20 {
		t.Errorf("the heap grew by %d octets", grown)
	}
}
