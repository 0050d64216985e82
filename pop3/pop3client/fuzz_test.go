package pop3client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// deaf is a connection to a server that says what it says, whatever it hears, and hangs up.
type deaf struct {
	net.Conn // nil: what is not here is not called
	says     io.Reader
}

func (d *deaf) Read(p []byte) (int, error)       { return d.says.Read(p) }
func (*deaf) Write(p []byte) (int, error)        { return len(p), nil }
func (*deaf) Close() error                       { return nil }
func (*deaf) SetDeadline(time.Time) error        { return nil }
func (*deaf) SetReadDeadline(time.Time) error    { return nil }
func (*deaf) SetWriteDeadline(t time.Time) error { return nil }

// FuzzSession plays arbitrary octets to everything that a client does. It must come to an end, with errors that can be
// shown, and must not believe that more came than was sent.
func FuzzSession(f *testing.F) {
	var whole bytes.Buffer
	for _, line := range []string{
		"+OK <a@b>", "+OK", "SASL SCRAM-SHA-256 PLAIN", "PIPELINING", ".", "+ ", "+OK", "+OK 2 320", "+OK", "1 120", "2 200", ".",
		"+OK", "1 a", "2 b", ".", "+OK 1 120", "+OK 1 a", "+OK 3 octets", "a", ".", "+OK", "b", ".", "+OK", "+OK", "c", ".", "-ERR [AUTH] x", "+OK",
	} {
		whole.WriteString(line + "\r\n")
	}
	f.Add(whole.Bytes())
	f.Fuzz(func(t *testing.T, says []byte) {
		ctx := context.Background()
		c, err := pop3client.NewClient(ctx, &deaf{says: bytes.NewReader(says)}, "h", &pop3client.Options{
			Security: pop3client.Clear, AllowCleartext: true, MaxLine: 1000, MaxListing: 10_000, MaxMessage: 10_000, MaxDrain: 1000,
		})
		if err != nil {
			showable(t, err)
			return
		}
		defer c.Close()
		var errs []error
		var octets int64
		note := func(err error) { errs = append(errs, err) }
		read := func(m *pop3client.Message, err error) {
			if err == nil {
				_, err = io.Copy(io.Discard, m)
				octets += m.Octets()
			}
			note(err)
		}
		note(c.Login(ctx, "mrose", "secret"))
		_, _, err = c.Stat(ctx)
		note(err)
		lines := 0
		for _, err := range c.List(ctx) {
			note(err)
			lines++
		}
		for u, err := range c.UIDs(ctx) {
			note(err)
			lines++
			octets += int64(len(u.UID))
		}
		_, err = c.Size(ctx, 1)
		note(err)
		_, err = c.UID(ctx, 1)
		note(err)
		read(c.Retr(ctx, 1))
		read(c.Top(ctx, 1, 1))
		for r, err := range c.Batch(ctx, slices.Values(someOps)) {
			if r.Message == nil {
				note(err)
				continue
			}
			read(r.Message, err)
		}
		note(c.Noop(ctx))
		note(c.Quit(ctx))
		for _, err := range errs {
			showable(t, err)
		}
		if octets+int64(lines) > int64(len(says)) {
			t.Errorf("%d octets and %d lines came out of %d octets", octets, lines, len(says))
		}
		if err := c.Noop(ctx); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("Noop after Quit: %v, want ErrClosed", err)
		}
	})
}

// showable checks that an error's text is fit for a terminal.
func showable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	s := err.Error()
	if s != pop3.Printable(s) || len(s) > 3000 || strings.Contains(s, "secret") {
		t.Errorf("error text is not fit to be shown: %q", s)
	}
}

// FuzzMessage sends arbitrary lines as a message, and a reply after it: both must come out as they went in.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("Subject: dots\r\n\r\n.\r\n..\r\nbye\r\n"))
	f.Add([]byte("a\n.\nb\r.\rc\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// The text as a server sends it: whole lines, and a dot before each that begins with one.
		var message, stuffed bytes.Buffer
		for line := range bytes.SplitSeq(text, []byte("\r\n")) {
			message.Write(append(line[:len(line):len(line)], "\r\n"...))
			if bytes.HasPrefix(line, []byte(".")) {
				stuffed.WriteByte('.')
			}
			stuffed.Write(append(line[:len(line):len(line)], "\r\n"...))
		}
		says := "+OK\r\n+OK\r\n" + stuffed.String() + ".\r\n-ERR next\r\n"
		c, err := pop3client.NewClient(context.Background(), &deaf{says: strings.NewReader(says)}, "h", &pop3client.Options{Security: pop3client.Clear})
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Retr(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(m)
		if err != nil || !bytes.Equal(got, message.Bytes()) {
			t.Errorf("message %q, %v, want %q", got, err, message.Bytes())
		}
		var refused *pop3.Error
		if err := c.Noop(context.Background()); !errors.As(err, &refused) || refused.Text != "next" {
			t.Errorf("reply after the message: %v", err)
		}
	})
}
