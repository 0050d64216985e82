package sinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// A Harness is a kind of sink with a way to look at what is in it.
type Harness struct {
	// Open opens the sink in a folder, which is empty at first. It may be opened again after it was closed.
	Open func(dir string) (collect.Sink, error)
	// Read returns the messages that are there, with CRLF line ends, in any order.
	Read func(dir string) ([]string, error)
	// Exact says that a missing last line end stays missing.
	Exact bool
}

// received is when all letters were received.
var received = time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)

// Letter returns the letter of a message that is delivered with key.
func Letter(key string) collect.Letter {
	return collect.Letter{Key: key, Account: "test", UID: "uid-" + key, Sender: "friend@example.com", Received: received}
}

// texts are messages that formats and protocols trip over.
var texts = map[string]string{
	"Plain":        "Subject: Hello\r\n\r\nHow are you?\r\n",
	"Header only":  "Subject: nothing else\r\n\r\n",
	"8-bit":        "Subject: Gr\xfc\xdfe \xff\r\n\r\n\xe2\x82\xac \x80\x81\xfe\r\n",
	"Dots":         ".Dot: yes\r\n\r\n.\r\n..\r\n...\r\n.x\r\n \r\n.\r\n",
	"From lines":   "From: x\r\n\r\nFrom here\r\n>From there\r\n>>From afar Sun Nov 22 12:34:56 2026\r\n\r\nFrom a@b Sun Nov 22 12:34:56 2026\r\nX: y\r\n",
	"NUL and CR":   "X: y\r\n\r\na\x00b\rc\r\r\nd\r\n",
	"Long line":    "X: y\r\n\r\n" + strings.Repeat("0123456789", 20000) + "\r\n",
	"Empty lines":  "X: y\r\n\r\n\r\n\r\n\r\n",
	"No last end":  "X: y\r\n\r\nthe end",
	"Ends with CR": "X: y\r\n\r\nthe end\r\n>\r\nF\r\nFro\r\n",
}

// Run sees that a sink keeps its promises.
func Run(t *testing.T, h Harness) {
	t.Run("Octets", func(t *testing.T) { t.Parallel(); h.octets(t) })
	t.Run("Repeat", func(t *testing.T) { t.Parallel(); h.repeat(t) })
	t.Run("Abort", func(t *testing.T) { t.Parallel(); h.abort(t) })
	t.Run("Concurrent", func(t *testing.T) { t.Parallel(); h.concurrent(t) })
	t.Run("Cancelled", func(t *testing.T) { t.Parallel(); h.cancelled(t) })
	t.Run("Closed", func(t *testing.T) { t.Parallel(); h.closed(t) })
}

func (h Harness) open(t *testing.T, dir string) collect.Sink {
	t.Helper()
	s, err := h.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h Harness) close(t *testing.T, s collect.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// expect compares what is there.
func (h Harness) expect(t *testing.T, dir string, want ...string) {
	t.Helper()
	got, err := h.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Clone(want)
	for i, text := range want {
		want[i] = h.ended(text)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("there are %.2000q,\nwant %.2000q", got, want)
	}
}

func (h Harness) ended(text string) string {
	if !h.Exact && !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	return text
}

// Deliver delivers one message, cut into pieces by chance.
func Deliver(ctx context.Context, s collect.Sink, key, text string) error {
	d, err := s.Begin(ctx, Letter(key))
	if err != nil {
		return err
	}
	defer d.Abort()
	random := rand.New(rand.NewPCG(uint64(len(text)), 1))
	for rest := text; rest != ""; {
		n := min(1+random.IntN(len(text)/4+1), len(rest))
		if k, err := io.WriteString(d, rest[:n]); err != nil {
			return err
		} else if k != n {
			return fmt.Errorf("the sink took %d of %d octets without an error", k, n)
		}
		rest = rest[n:]
	}
	return d.Commit(ctx)
}

func (h Harness) octets(t *testing.T) {
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := h.open(t, dir)
			if err := Deliver(t.Context(), s, "a", text); err != nil {
				t.Fatal(err)
			}
			// Another one after it: nothing of the first may run into it.
			if err := Deliver(t.Context(), s, "b", "X: second\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			h.close(t, s)
			h.expect(t, dir, text, "X: second\r\n\r\n")
		})
	}
}

func (h Harness) repeat(t *testing.T) {
	dir := t.TempDir()
	s := h.open(t, dir)
	if !s.Safe() {
		h.close(t, s)
		t.Skip("not a safe sink")
	}
	// Keys that differ in little, and one as long and odd as a key can be.
	long := strings.Repeat("~", 199) + ":"
	keys := []string{"k:1", "k:1!", "K:1", long, long[1:]}
	var want []string
	for range 2 {
		for range 2 {
			for i, key := range keys {
				if err := Deliver(t.Context(), s, key, fmt.Sprintf("N: %d\r\n\r\n", i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		h.close(t, s)
		s = h.open(t, dir)
	}
	for i := range keys {
		want = append(want, fmt.Sprintf("N: %d\r\n\r\n", i))
	}
	h.expect(t, dir, want...)
	h.close(t, s)
}

func (h Harness) abort(t *testing.T) {
	dir := t.TempDir()
	s := h.open(t, dir)
	d, err := s.Begin(t.Context(), Letter("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, "X: given up\r\n\r\n"+strings.Repeat("text\r\n", 50000)); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	d.Abort()
	h.expect(t, dir)
	if _, err := io.WriteString(d, "more"); err == nil {
		t.Error("Write after Abort: no error")
	}
	if err := d.Commit(t.Context()); err == nil {
		t.Error("Commit after Abort: no error")
	}
	const text = "X: kept\r\n\r\n"
	if d, err = s.Begin(t.Context(), Letter("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, text); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Abort()
	if err := d.Commit(t.Context()); err == nil {
		t.Error("second Commit: no error")
	}
	h.expect(t, dir, text)
	h.close(t, s)
	h.expect(t, dir, text)
}

func (h Harness) concurrent(t *testing.T) {
	dir := t.TempDir()
	s := h.open(t, dir)
	var want []string
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		text := fmt.Sprintf("N: %d\r\n\r\n%s", i, strings.Repeat("text\r\n", 1000*i))
		want = append(want, text)
		wg.Go(func() { errs[i] = Deliver(t.Context(), s, fmt.Sprint("k", i), text) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	h.close(t, s)
	h.expect(t, dir, want...)
}

// What a cancelled context stops may be tried again.
func (h Harness) cancelled(t *testing.T) {
	dir := t.TempDir()
	s := h.open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	d, err := s.Begin(ctx, Letter("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, "X: y\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := d.Commit(ctx); !isTemporary(err) {
		t.Errorf("Commit: %v, want a *collect.TemporaryError", err)
	}
	d.Abort()
	if _, err := s.Begin(ctx, Letter("a")); !isTemporary(err) {
		t.Errorf("Begin: %v, want a *collect.TemporaryError", err)
	}
	h.expect(t, dir)
	h.close(t, s)
}

func (h Harness) closed(t *testing.T) {
	s := h.open(t, t.TempDir())
	if s.Name() == "" || strings.ContainsAny(s.Name(), "\r\n") {
		t.Errorf("the name is %q", s.Name())
	}
	h.close(t, s)
}

func isTemporary(err error) bool {
	var t *collect.TemporaryError
	return errors.As(err, &t)
}

// Large delivers a message of many octets and sees that memory does not grow with it. It is not part of Run because it
// must not run beside other tests. size reads back how large the message is, with the line ends it has there.
func Large(t *testing.T, s collect.Sink, octets int) {
	t.Helper()
	block := []byte(strings.Repeat("From here to there it is a long way, and no dot in sight.....\r\n", 1024))
	d, err := s.Begin(t.Context(), Letter("large"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	if _, err := io.WriteString(d, "X: y\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := 0; n < octets; n += len(block) {
		if _, err := d.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	grown := after.TotalAlloc - before.TotalAlloc
	t.Logf("a message of %d MiB took %d KiB of memory", octets>>20, grown>>10)
	if grown > maxGrown {
		t.Errorf("a message of %d octets took %d octets of memory in all, more than %d", octets, grown, maxGrown)
	}
}

// maxGrown is for everything that is allocated during a message, freed or not, in this process.
const maxGrown = 8 << 20
