package pop3client_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// noop is the rest of a dialogue that shows that the session goes on.
var noop = pop3test.Dialogue("C: NOOP\nS: +OK")

func TestMessageWriteTo(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("..a line with a dot\r\nand one without\r\n", 10_000)
	want := strings.ReplaceAll(body, "..", ".")
	c := dial(t, pop3test.Dialogue("S: +OK\nC: RETR 1\nS: +OK").Then(pop3test.Send(body+".\r\n")).Then(noop...))
	m, err := c.Retr(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	n, err := m.WriteTo(&got)
	if err != nil || got.String() != want || n != int64(len(want)) || m.Octets() != n {
		t.Errorf("WriteTo: %d octets (Octets: %d), %v, want %d", n, m.Octets(), err, len(want))
	}
	if n, err := m.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("Read after the end: %d, %v", n, err)
	}
	if n, err := m.WriteTo(&got); n != 0 || err != nil {
		t.Errorf("WriteTo after the end: %d, %v", n, err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("Close after the end: %v", err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("Noop: %v", err)
	}
}

// TestMessageClose: what the caller did not read is skipped, if it is not too much, so that the next answer is the right one.
func TestMessageClose(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789\r\n", 1000)
	for _, test := range []struct {
		name, status string
		max          int64
		want         error
	}{
		{"skipped", "+OK", 20_000, nil},
		{"skipped, without a limit", "+OK", -1, nil},
		{"too long", "+OK", 5000, pop3client.ErrAbandoned},
		{"said to be too long", "+OK 999999 octets", 20_000, pop3client.ErrAbandoned},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Dialogue("S: +OK\nC: RETR 1").Then(pop3test.MayHangUp(), pop3test.Reply(test.status), pop3test.Send(body+".\r\n")).Then(noop...)
			c := dial(t, script, func(o *pop3client.Options) { o.MaxDrain = test.max })
			m, err := c.Retr(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(m, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); !errors.Is(err, test.want) {
				t.Errorf("Close: %v, want %v", err, test.want)
			}
			if _, err := m.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("Read after Close: %v, want an error that is not io.EOF", err)
			}
			if err := m.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if err := c.Noop(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("Noop: %v, want %v", err, test.want)
			}
		})
	}
}

// brokenWriter takes a number of octets and fails then, like a full disk.
type brokenWriter struct{ left int }

var errDisk = errors.New("no space left on device")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

// TestMessageSinkFails: a full disk of the caller's is not the end of the session, and the message is not whole.
func TestMessageSinkFails(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789\r\n", 10_000)
	c := dial(t, pop3test.Dialogue("S: +OK\nC: RETR 1\nS: +OK").Then(pop3test.Send(body+".\r\n")).Then(noop...))
	m, err := c.Retr(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&brokenWriter{left: 40_000}, m); !errors.Is(err, errDisk) {
		t.Errorf("Copy: %v, want %v", err, errDisk)
	}
	if _, err := m.Read(make([]byte, 1)); !errors.Is(err, errDisk) {
		t.Errorf("Read after that: %v, want %v", err, errDisk)
	}
	if err := m.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("Noop: %v", err)
	}
}

// TestMessageBareLF: `.` LF ends a message if the caller says so.
func TestMessageBareLF(t *testing.T) {
	t.Parallel()
	script := pop3test.Dialogue("S: +OK\nC: RETR 1\nS: +OK").Then(pop3test.Send("a\n..b\n.\n")).Then(noop...)
	c := dial(t, script, func(o *pop3client.Options) { o.BareLF = true })
	m, err := c.Retr(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(m); string(b) != "a\n.b\n" || err != nil {
		t.Errorf("message %q, %v", b, err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("Noop: %v", err)
	}
}
