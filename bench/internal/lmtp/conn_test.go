package lmtp

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStuff(t *testing.T) {
	t.Parallel()
	c := new(Conn)
	for in, want := range map[string]string{
		"":                     ".\r\n",
		"a: b\r\n\r\n":         "a: b\r\n\r\n.\r\n",
		"a: b\n\n.\n..c\nd.\n": "a: b\r\n\r\n..\r\n...c\r\nd.\r\n.\r\n",
	} {
		if got := string(c.Stuff([]byte(in))); got != want {
			t.Errorf("Stuff(%q) = %q, want %q", in, got, want)
		}
	}
}

// A step is what a server waits for, to the octet, and what it answers.
type step struct{ want, answer string }

const (
	lhlo  = "LHLO bench.example.org\r\n"
	mail  = "MAIL FROM:<sender@example.org>\r\n"
	hello = "220 peer\r\n"
	can   = "250-peer\r\n250-SIZE\r\n250 PIPELINING\r\n"
)

// session plays a server and runs what the sender does.
func session(t *testing.T, steps []step, run func(*Conn) error) error {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range steps {
			got := make([]byte, len(s.want))
			if n, err := io.ReadFull(theirs, got); err != nil || string(got) != s.want {
				t.Errorf("the sender says %q (%v), want %q", got[:n], err, s.want)
				break
			}
			_, _ = io.WriteString(theirs, s.answer)
		}
		_, _ = io.Copy(io.Discard, theirs)
	}()
	defer func() {
		_ = ours.Close()
		<-done
		_ = theirs.Close()
	}()
	c, err := begin(ours, time.Minute)
	if err != nil {
		return err
	}
	return run(c)
}

// one is one message for the recipients.
func one(rcpts ...string) func(*Conn) error {
	return func(c *Conn) error {
		if err := c.Begin(rcpts...); err != nil {
			return err
		}
		if err := c.Message([]byte("Subject: x\n\n.\n")); err != nil {
			return err
		}
		return c.Quit()
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	const bob, eve, text, ok = "RCPT TO:<bob>\r\n", "RCPT TO:<eve>\r\n", "Subject: x\r\n\r\n..\r\n.\r\n", "250 OK\r\n"
	for _, tt := range []struct {
		name  string
		steps []step
		run   func(*Conn) error
		want  string // in the error
	}{
		{"one recipient", []step{{"", hello}, {lhlo, can}, {mail, ok}, {bob, ok}, {"DATA\r\n", "354 go\r\n"}, {text, ok}, {"QUIT\r\n", "221 bye\r\n"}}, one("bob"), ""},
		{"two recipients, a reply for each", []step{
			{"", hello}, {lhlo, can}, {mail, ok}, {bob + eve, ok + ok}, {"DATA\r\n", "354 go\r\n"}, {text, ok + ok}, {"QUIT\r\n", "221 bye\r\n"},
		}, one("bob", "eve"), ""},
		{"not taken for the second", []step{
			{"", hello}, {lhlo, can}, {mail, ok}, {bob + eve, ok + ok}, {"DATA\r\n", "354 go\r\n"}, {text, ok + "452 full\r\n"},
		}, one("bob", "eve"), `DATA: expected 250, got "452 full\r\n"`},
		{"no such recipient", []step{{"", hello}, {lhlo, can}, {mail, ok}, {bob, "550 who?\r\n"}}, one("bob"), `RCPT: expected 250, got "550 who?\r\n"`},
		{"a refusal that is wanted", []step{{"", hello}, {lhlo, can}, {mail, ok}, {bob, "550 who?\r\n"}}, func(c *Conn) error {
			if err := c.Cmd("250", "MAIL FROM:<sender@example.org>"); err != nil {
				return err
			}
			return c.Cmd("550", "RCPT TO:<bob>")
		}, ""},
		{"busy", []step{{"", "421 later\r\n"}}, nil, `greeting: expected 220, got "421 later\r\n"`},
		{"another code in the last line", []step{{"", hello}, {lhlo, "250-peer\r\n500 no\r\n"}}, nil, `LHLO: expected 250, got "500 no\r\n"`},
		{"too short", []step{{"", "220\n"}}, nil, `greeting: expected 220, got "220\n"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := session(t, tt.steps, tt.run)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A server that says nothing more is not waited for, though the session before was longer than that.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() {
			defer theirs.Close()
			for _, s := range []step{{"", hello}, {lhlo, can}, {"NOOP\r\n", "250 OK\r\n"}, {"NOOP\r\n", ""}} {
				_, _ = io.ReadFull(theirs, make([]byte, len(s.want)))
				time.Sleep(50 * time.Second)
				_, _ = io.WriteString(theirs, s.answer)
			}
			_, _ = io.Copy(io.Discard, theirs)
		}()
		c, err := begin(ours, time.Minute)
		if err == nil {
			err = c.Cmd("250", "NOOP")
		}
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := c.Cmd("250", "NOOP"); !os.IsTimeout(err) && !strings.Contains(err.Error(), "timeout") || time.Since(begun) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}
