package pop3server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3server"
)

// sleeper is a server whose sessions sleep as soon as they wait, and a channel that tells when one does.
func sleeper(t *testing.T, change func(*pop3server.Options)) (s *testServer, asleep <-chan struct{}) {
	t.Helper()
	s = start(t, change)
	return s, s.SleepAfter(time.Microsecond)
}

// TestSleep: whatever a session waits for, sleep changes nothing of it.
func TestSleep(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s, asleep := sleeper(t, nil)
		p := dial(t, s.tcp(t, secure))
		if secure {
			p = newPeer(t, p.startTLS(nil))
		}
		p.greeted()
		<-asleep
		p.cmd("USER "+user, "+OK ")
		<-asleep
		p.cmd("PASS "+password, "+OK ") // the name of USER still holds
		<-asleep
		p.cmd("DELE 2", "+OK ")
		<-asleep
		p.send("NO") // a part of a line wakes it, and it waits for the rest
		runtime.Gosched()
		p.cmd("OP", "+OK ")
		<-asleep
		p.send("STAT\r\nRETR 1\r\nUIDL\r\n") // several at once
		p.want("+OK 2 ")
		p.want("+OK ")
		if got := p.lines(); len(got) != 5 {
			t.Errorf("message 1 has the lines %q", got)
		}
		p.want("+OK ")
		if got := p.lines(); len(got) != 2 {
			t.Errorf("UIDL: %q", got)
		}
		<-asleep
		p.quit()
		if n := s.count(); n != 2 {
			t.Errorf("%d messages left, want 2", n)
		}
	}
}

// TestSleepInLongLine: a line that is too long is one line, also if the session sleeps before all of it has come.
func TestSleepInLongLine(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	asleep := s.SleepAfter(50 * time.Millisecond)
	p := dial(t, s.tcp(t, false)).signedIn()
	p.send(strings.Repeat("x", 1000))
	<-asleep
	p.cmd("DELE 1", "-ERR ")
	p.cmd("STAT", "+OK 3 ")
	p.quit()
}

// TestSleepInRecord: a session under TLS that sleeps with a part of a record takes it up again.
func TestSleepInRecord(t *testing.T) {
	t.Parallel()
	for name, octets := range map[string]int{"header": 3, "body": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			asleep := s.SleepAfter(50 * time.Millisecond)
			raw := &broken{Conn: dial(t, s.tcp(t, true)).nc}
			p := newPeer(t, raw)
			p.startTLS(nil)
			p.signedIn()
			raw.first = octets
			p.send("DELE 1\r\n")
			<-asleep
			raw.mend(t)
			p.want("+OK ")
			p.quit()
			if n := s.count(); n != 2 {
				t.Errorf("%d messages left, want 2", n)
			}
		})
	}
}

// A broken connection keeps what is behind the first octets of a write.
type broken struct {
	net.Conn
	first int // 0 is all
	rest  []byte
}

func (b *broken) Write(p []byte) (int, error) {
	if b.first == 0 {
		return b.Conn.Write(p)
	}
	b.rest = append(b.rest, p[b.first:]...)
	_, err := b.Conn.Write(p[:b.first])
	return len(p), err
}

// mend sends the rest.
func (b *broken) mend(t *testing.T) {
	t.Helper()
	if _, err := b.Conn.Write(b.rest); err != nil {
		t.Fatal(err)
	}
	b.first, b.rest = 0, nil
}

// TestSleepAndSTLS: a session that slept begins TLS, and sleeps on under it.
func TestSleepAndSTLS(t *testing.T) {
	t.Parallel()
	s, asleep := sleeper(t, nil)
	p := dial(t, s.tcp(t, false)).greeted()
	<-asleep
	p.cmd("STLS", "+OK ")
	p = newPeer(t, p.startTLS(&tls.Config{InsecureSkipVerify: true}))
	<-asleep
	p.cmd("USER "+user, "+OK ")
	<-asleep
	p.cmd("PASS "+password, "+OK ")
	<-asleep
	p.quit()
}

// TestSleepEnds: whatever ends a session ends one that sleeps: its time, the client, Shutdown and Close. The maildrop is free
// then, and no mark counts.
func TestSleepEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end    func(s *testServer, p *peer)
		reason pop3server.Reason
		err    error
	}{
		"client":   {func(_ *testServer, p *peer) { _ = p.nc.Close() }, pop3server.ReasonClosed, nil},
		"reset":    {func(_ *testServer, p *peer) { p.reset() }, pop3server.ReasonClosed, syscall.ECONNRESET},
		"shutdown": {func(s *testServer, p *peer) { _ = s.Shutdown(p.t.Context()) }, pop3server.ReasonShutdown, nil},
		"close":    {func(s *testServer, _ *peer) { _ = s.Close() }, pop3server.ReasonShutdown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan pop3server.Summary, 1)
			s, asleep := sleeper(t, func(o *pop3server.Options) {
				o.Hooks.ConnClose = func(_ *pop3server.Conn, sum pop3server.Summary) { ended <- sum }
			})
			p := dial(t, s.tcp(t, false)).greeted()
			<-asleep
			p.cmd("USER "+user, "+OK ")
			<-asleep
			p.cmd("PASS "+password, "+OK ")
			<-asleep
			p.cmd("DELE 1", "+OK ")
			<-asleep
			tt.end(s, p)
			if sum := <-ended; sum.Reason != tt.reason || sum.Commands != 3 || !errors.Is(sum.Err, tt.err) {
				t.Errorf("ended with %q after %d commands, %v", sum.Reason, sum.Commands, sum.Err)
			}
			if n := s.count(); n != 3 {
				t.Errorf("%d messages left, want 3", n)
			}
		})
	}
}

// TestSleepAndFaults: a backend that panics, or ends the goroutine, in a session that slept costs that session only, and the
// server does not wait for it.
func TestSleepAndFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(){"panic": func() { panic("oh") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan pop3server.Summary, 2)
			b := &stub{list: sizes{1}, message: func(context.Context, int) (pop3server.Body, error) {
				fault()
				return pop3server.Body{}, nil
			}}
			s := b.server(t, func(o *pop3server.Options) {
				o.Hooks.ConnClose = func(_ *pop3server.Conn, sum pop3server.Summary) { ended <- sum }
			})
			asleep := s.SleepAfter(time.Microsecond)
			p := dial(t, s.tcp(t, false)).greeted()
			<-asleep
			p.cmd("USER u", "+OK ")
			<-asleep
			p.cmd("PASS p", "+OK ")
			<-asleep
			p.send("RETR 1\r\n")
			p.closed()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if sum := <-ended; sum.Reason != pop3server.ReasonPanic || len(ended) > 0 {
				t.Errorf("ended with %q, %v, and %d times more", sum.Reason, sum.Err, len(ended))
			}
			b.balanced(t)
		})
	}
}

// TestSleepInServeConn: ServeConn returns when the session has ended, not when it sleeps.
func TestSleepInServeConn(t *testing.T) {
	t.Parallel()
	s, _ := sleeper(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := dial(t, ln.Addr().String())
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(nc) }()
	p.signedIn()
	p.cmd("DELE 1", "+OK ")
	p.quit()
	if err := <-served; err != nil || s.count() != 2 {
		t.Errorf("%v, %d messages left", err, s.count())
	}
}

// reset closes the connection with a reset.
func (p *peer) reset() {
	p.t.Helper()
	if err := errors.Join(p.nc.(*net.TCPConn).SetLinger(0), p.nc.Close()); err != nil {
		p.t.Fatal(err)
	}
}

// TestSleepTimeout: sleep counts as waiting.
func TestSleepTimeout(t *testing.T) {
	t.Parallel()
	ended := make(chan pop3server.Summary, 1)
	s := start(t, func(o *pop3server.Options) {
		o.Hooks.ConnClose = func(_ *pop3server.Conn, sum pop3server.Summary) { ended <- sum }
	})
	asleep := s.SleepAfter(time.Microsecond)
	s.ShortIdle(50 * time.Millisecond)
	p := dial(t, s.tcp(t, false)).greeted()
	<-asleep
	p.send("NO") // a part of a line is no command
	p.closed()   // without a word
	if sum := <-ended; sum.Reason != pop3server.ReasonIdle {
		t.Errorf("ended with %q, %v", sum.Reason, sum.Err)
	}
}
