package sink_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
)

// imapOn returns a sink on a server in memory.
func imapOn(t *testing.T, s *imaptest.Server, folder string) *sink.IMAP {
	t.Helper()
	opt := imapAt(s.Addr, imapclient.Clear, nil, folder)
	opt.Server.AllowCleartext = true
	opt.Spool = t.TempDir()
	i, err := sink.NewIMAP(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

func inMemory(t *testing.T, s *imaptest.Server, folder string) ([]string, []imapclient.Message) {
	t.Helper()
	texts, list, err := readIMAP(t.Context(), imapclient.Options{Addr: s.Addr, Security: imapclient.Clear, AllowCleartext: true, User: imaptest.User}, folder)
	if err != nil {
		t.Fatal(err)
	}
	return texts, list
}

// A letter that may be there from an earlier try is looked for: by the key in the trace line, or by its octets.
func TestIMAPLooksAgain(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	i := imapOn(t, s, "Mail")
	deliver := func(letter collect.Letter, text string) {
		t.Helper()
		d, err := i.Begin(t.Context(), letter)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := d.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	trace := func(key, at string) string {
		return "Received: from pop by here with POP3 id " + key + "\r\n\t(account a); " + at + "\r\n"
	}
	const text = "Subject: x\r\n\r\nHello.\r\n"
	letter := func(key string, again bool) collect.Letter {
		l := sinktest.Letter(key)
		l.Again = again
		return l
	}
	for _, try := range []struct {
		key  string
		text string
		want int // messages afterwards
	}{
		{"k1", trace("k1", "now") + text, 1},
		{"k1", trace("k1", "later") + text, 1}, // the same, fetched later
		{"k2", trace("k2", "now") + text, 2},   // another one with the same text
		{"k", trace("k", "now") + text, 3},     // a key that others begin with
		{"k3", text, 4},
		{"k3", text, 4},
		{"k4", strings.ToUpper(text), 5}, // of the same size
	} {
		deliver(letter(try.key, true), try.text)
		if n := s.Count(t, "Mail"); n != try.want {
			t.Errorf("%s: %d messages, want %d", try.key, n, try.want)
		}
	}
	// What was not tried before is not looked for: two messages may be alike.
	deliver(letter("k5", false), text)
	if n := s.Count(t, "Mail"); n != 6 {
		t.Errorf("%d messages, want 6", n)
	}
}

// Date and marks go with the letter.
func TestIMAPDateAndFlags(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	i := imapOn(t, s, "Mail")
	now := sinktest.Letter("a").Received
	before := now.Add(-48 * time.Hour)
	for _, date := range []time.Time{before, {}, now.Add(time.Hour), time.Date(1903, 1, 1, 0, 0, 0, 0, time.UTC)} {
		l := sinktest.Letter("a")
		l.Date, l.Flags = date, `\Seen \Flagged`
		d, err := i.Begin(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = d.Write([]byte("X: y\r\n\r\n"))
		if err := d.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, list := inMemory(t, s, "Mail")
	for n, m := range list {
		want := now
		if n == 0 {
			want = before
		}
		if !m.Date.Equal(want) || m.Flags != `\Seen \Flagged` {
			t.Errorf("message %d: %+v, want %v", n, m, want)
		}
	}
	if len(list) != 4 {
		t.Errorf("%d messages", len(list))
	}
}

// lossy is a server's end that fails when it is to say something behind an octet.
type lossy struct {
	net.Conn
	left *atomic.Int64
}

func (l lossy) Write(p []byte) (int, error) {
	if l.left.Add(-int64(len(p))) < 0 {
		return len(p), l.Conn.Close() // an error from here the server in memory would not survive
	}
	return l.Conn.Write(p)
}

// When the answer is lost the message may be there, and in this process the next try knows that.
func TestIMAPAnswerLost(t *testing.T) {
	t.Parallel()
	const text = "Subject: x\r\n\r\nHello.\r\n"
	for _, size := range []int{1} { // one that goes without a continuation: the server in memory does not survive losing that
		s := imaptest.Start(t, imaptest.Options{})
		i := imapOn(t, s, "INBOX")
		text := text + strings.Repeat("0123456789abcde\r\n", size/16)
		unknown := 0
		for left := int64(0); ; left += 9 + left/10 {
			s.Wrap(func(c net.Conn) net.Conn {
				n := new(atomic.Int64)
				n.Store(left)
				return lossy{c, n}
			})
			err := sinktest.Deliver(context.Background(), i, "a", text)
			s.Wrap(nil)
			_, broken := err.(*collect.TemporaryError)
			if err != nil && !broken {
				t.Fatalf("after %d octets: %v", left, err)
			}
			if err == nil {
				break
			}
			if s.Count(t, "INBOX") == 1 {
				unknown++
			}
			if left > 1_000_000 {
				t.Fatal("it never works")
			}
		}
		if n := s.Count(t, "INBOX"); n != 1 || unknown == 0 {
			t.Errorf("%d messages, the answer was lost %d times", n, unknown)
		}
	}
}

// What is wrong with the server says nothing about the message.
func TestIMAPFailures(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	opt := imapAt(s.Addr, imapclient.Clear, nil, "Mail")
	opt.Server.AllowCleartext = true
	opt.Password = func(context.Context) (string, error) { return "wrong", nil }
	i, err := sink.NewIMAP(opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Begin(t.Context(), sinktest.Letter("a")); collect.Classify(err) != collect.Permanent || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
	if _, err := sink.NewIMAP(sink.IMAPOptions{}); err == nil {
		t.Error("no user is no error")
	}
}

// A message of 100 MB is not held in memory.
func TestIMAPLarge(t *testing.T) { // it measures memory
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan struct{})
	go func() { // a server that throws away what it gets
		defer close(done)
		swallow(far)
	}()
	opt := imapAt("127.0.0.1:143", imapclient.Clear, nil, "INBOX")
	opt.Server.AllowCleartext, opt.Spool = true, t.TempDir()
	opt.Server.DialContext = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	i, err := sink.NewIMAP(opt)
	if err != nil {
		t.Fatal(err)
	}
	sinktest.Large(t, i, 100<<20)
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	_ = near.Close()
	<-done
}

// swallow plays a server that takes every message.
func swallow(c net.Conn) {
	r := bufio.NewReader(c)
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	say("* OK [CAPABILITY IMAP4rev1] ready")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if i := strings.LastIndexByte(line, '{'); i > 0 && words[1] == "APPEND" {
			size, _ := strconv.ParseInt(strings.TrimRight(line[i+1:], "}\r\n"), 10, 64)
			say("+ go on")
			if _, err := io.CopyN(io.Discard, r, size+2); err != nil {
				return
			}
		}
		say(words[0] + " OK done")
	}
}
