package pop3server_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/pop3/pop3server"
)

// synced runs f with a server and a fake clock.
func synced(t *testing.T, change func(*pop3server.Options), f func(t *testing.T, s *testServer)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, start(t, change)) })
}

func TestAutologout(t *testing.T) { // S-019, S-020, K-10, K-11
	synced(t, func(o *pop3server.Options) { o.IdleTimeout = time.Second }, func(t *testing.T, s *testServer) { // too short: 10 minutes
		p := s.pipe(t).signedIn()
		p.cmd("DELE 1", "+OK ")
		for range 3 {
			time.Sleep(10*time.Minute - time.Second)
			p.cmd("NOOP", "+OK ")
		}
		time.Sleep(10*time.Minute + time.Second)
		p.closed() // without a word
		if n := s.count(); n != 3 {
			t.Errorf("%d messages left", n)
		}
		q := s.pipe(t).signedIn() // the lock is free
		q.quit()
	})
}

// TestDrippingClient: octets that make no line do not restart the timer.
func TestDrippingClient(t *testing.T) {
	synced(t, nil, func(t *testing.T, s *testServer) {
		p := s.pipe(t).greeted()
		began := time.Now()
		for {
			if _, err := io.WriteString(p.nc, "x"); err != nil {
				break
			}
			time.Sleep(time.Minute)
		}
		if d := time.Since(began); d > 11*time.Minute {
			t.Errorf("held out %v", d)
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	synced(t, func(o *pop3server.Options) { o.HandshakeTimeout = 5 * time.Second }, func(t *testing.T, s *testServer) {
		p := s.pipe(t).greeted()
		p.cmd("STLS", "+OK ")
		began := time.Now()
		p.send("\x16\x03\x01")
		p.closed()
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("the handshake had %v", d)
		}
	})
}

// TestWriteTimeoutAfterHandshake: what is left of the handshake's time is not the time that the first reply has.
func TestWriteTimeoutAfterHandshake(t *testing.T) {
	synced(t, nil, func(t *testing.T, s *testServer) {
		p := s.pipe(t).greeted()
		p.cmd("STLS", "+OK ")
		p.startTLS(nil)
		p.send("NOOP\r\n")
		time.Sleep(50 * time.Second)
		p.want("-ERR ")
		p.quit()
	})
}

// TestStalledWrite: a client that takes nothing is cut, one that takes a little now and then is not.
func TestStalledWrite(t *testing.T) {
	var sum pop3server.Summary
	synced(t, func(o *pop3server.Options) {
		o.WriteTimeout = time.Minute
		o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum = s }
	}, func(t *testing.T, s *testServer) {
		big := make([]byte, 2<<20)
		for i := range big {
			big[i] = "0123456789abcde\n"[i%16]
		}
		if _, err := s.mem.Deliver(user, big); err != nil {
			t.Fatal(err)
		}
		p := s.pipe(t).signedIn()
		p.send("RETR 4\r\n")
		buf := make([]byte, 64<<10) // what the server writes at a time
		got := 0
		for range 20 { // 20 minutes in all, far more than the timeout
			time.Sleep(50 * time.Second)
			n, err := io.ReadAtLeast(p.r, buf, 1)
			if err != nil {
				t.Fatalf("cut after %d octets: %v", got, err)
			}
			got += n
			for p.r.Buffered() > 0 {
				n, _ := p.r.Read(buf)
				got += n
			}
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if sum.Reason != pop3server.ReasonStalled {
			t.Errorf("ended with %q, %v", sum.Reason, sum.Err)
		}
	})
}

// TestShutdown: idle sessions are closed at once and without a word, marks are dropped, commands in flight are finished.
func TestShutdown(t *testing.T) { // S-021
	synced(t, nil, func(t *testing.T, s *testServer) {
		idle := s.pipe(t).signedIn()
		idle.cmd("DELE 1", "+OK ")
		fresh := s.pipe(t)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		idle.closed()
		fresh.greeted() // was under way
		fresh.closed()
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if n := s.count(); n != 3 {
			t.Errorf("%d messages left", n)
		}
		late := s.pipe(t)
		late.closed()
	})
}

// TestShutdownWaits: a session in the middle of a command keeps Shutdown waiting, until its context ends.
func TestShutdownWaits(t *testing.T) {
	synced(t, nil, func(t *testing.T, s *testServer) {
		p := s.pipe(t).signedIn()
		p.send("RETR 1\r\n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if err := s.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		p.want("+OK ")
		p.lines()
		p.closed()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown again: %v", err)
		}
	})
}

func TestCloseCuts(t *testing.T) {
	synced(t, nil, func(t *testing.T, s *testServer) {
		p := s.pipe(t).signedIn()
		p.send("RETR 1\r\n")
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if rest, _ := io.ReadAll(p.r); len(rest) > 0 {
			t.Errorf("got %q", rest)
		}
	})
}
