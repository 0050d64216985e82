package pop3client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// canned is a connection to a server that answers each command at once with what is under its keyword.
type canned struct {
	net.Conn // nil: what is not here is not called
	answers  map[string]string
	pending  []string
}

func (c *canned) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.pending = append(c.pending, c.answers[verb])
	}
	return len(p), nil
}

func (c *canned) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pending[0])
	if c.pending[0] = c.pending[0][n:]; c.pending[0] == "" {
		c.pending = c.pending[:copy(c.pending, c.pending[1:])]
	}
	return n, nil
}

func (*canned) Close() error                     { return nil }
func (*canned) SetDeadline(time.Time) error      { return nil }
func (*canned) SetReadDeadline(time.Time) error  { return nil }
func (*canned) SetWriteDeadline(time.Time) error { return nil }

func cannedClient(tb testing.TB, answers map[string]string) *pop3client.Client {
	tb.Helper()
	c, err := pop3client.NewClient(tb.Context(), &canned{answers: answers, pending: []string{"+OK\r\n"}}, "h",
		&pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// cannedAnswers are a maildrop of n messages, each with size octets.
func cannedAnswers(n, size int) map[string]string {
	var list, uidl strings.Builder
	list.WriteString("+OK\r\n")
	uidl.WriteString("+OK\r\n")
	for num := 1; num <= n; num++ {
		fmt.Fprintf(&list, "%d %d\r\n", num, size)
		fmt.Fprintf(&uidl, "%d 0123456789abcdef0123456789abcdef\r\n", num)
	}
	return map[string]string{
		"CAPA": "+OK\r\nPIPELINING\r\n.\r\n",
		"STAT": fmt.Sprintf("+OK %d %d\r\n", n, n*size),
		"LIST": list.String() + ".\r\n",
		"UIDL": uidl.String() + ".\r\n",
		"RETR": fmt.Sprintf("+OK %d octets\r\n", size) + strings.Repeat(strings.Repeat("x", 62)+"\r\n", size/64) + ".\r\n",
		"DELE": "+OK\r\n",
		"NOOP": "+OK\r\n",
	}
}

// TestAllocations pins what the hot paths allocate on the client's side. The canned server has allocations of its own: one
// string per command.
func TestAllocations(t *testing.T) {
	const messages = 1000
	c := cannedClient(t, cannedAnswers(messages, 1<<20))
	ctx := context.Background() // without an end there is nothing to watch
	if _, err := c.Capa(ctx); err != nil {
		t.Fatal(err)
	}
	ops := slices.Repeat([]pop3client.Op{{Verb: pop3client.DELE, Num: 1}}, messages)
	for _, test := range []struct {
		name string
		want float64
		do   func() error
	}{
		{"NOOP", 1, func() error { return c.Noop(ctx) }},
		{"STAT", 1, func() error { _, _, err := c.Stat(ctx); return err }},
		{"LIST of 1000", 8, func() error {
			for _, err := range c.List(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"UIDL of 1000", 8 + messages, func() error { // the unique-ids themselves
			for _, err := range c.UIDs(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"RETR of 1 MiB", 4, func() error {
			m, err := c.Retr(ctx, 1)
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, m)
			if n != 1<<20 {
				t.Errorf("%d octets", n)
			}
			return err
		}},
		{"batch of 1000 DELE", 40, func() error {
			for _, err := range c.Batch(ctx, slices.Values(ops)) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		got := testing.AllocsPerRun(20, func() {
			if err := test.do(); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
		})
		t.Logf("%s: %v allocations", test.name, got)
		if got > test.want {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.want)
		}
	}
}

func BenchmarkRetr(b *testing.B) {
	const size = 64 << 10
	c := cannedClient(b, cannedAnswers(1, size))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		m, err := c.Retr(context.Background(), 1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUIDs(b *testing.B) {
	c := cannedClient(b, cannedAnswers(10_000, 1024))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range c.UIDs(context.Background()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
