package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// hold keeps a connection open for a while, again and again: before sign-in, or signed in to an account of its own.
func (s *soak) hold(ctx context.Context, n int) {
	for ctx.Err() == nil {
		s.try("hold", func() error {
			w := anyWire()
			c, err := dial(s.address(w), w, make([]byte, 1024))
			if err != nil {
				return err
			}
			defer c.Close()
			inside := n%2 == 0
			if inside {
				if err := signIn(c, idleUser(n), password); err != nil && !refused(err, "[IN-USE]") {
					return err
				} else if err != nil {
					pause(ctx, 100*time.Millisecond) // the last session was cut a moment ago
					return nil
				}
			}
			pause(ctx, time.Duration(1+rand.IntN(40))*time.Second)
			if rand.IntN(3) == 0 {
				return nil // cut
			}
			c.SetDeadline(time.Now().Add(sessionTime))
			if inside {
				if _, err := c.Cmd("NOOP"); err != nil {
					return fmt.Errorf("after it was held: %w", err)
				}
			}
			return c.Quit()
		})
	}
}

func idleUser(n int) string { return fmt.Sprintf("idle%d", n) }

// halfOpen begins TLS handshakes and does not go on: the server must close, or notice that we did.
func (s *soak) halfOpen(ctx context.Context) {
	hello := []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3} // the first octets of a ClientHello of 512
	for ctx.Err() == nil {
		s.try("half-open", func() error {
			nc, err := net.DialTimeout("tcp", s.d.pop3s, sessionTime)
			if err != nil {
				return err
			}
			defer nc.Close()
			if _, err := nc.Write(hello[:rand.IntN(len(hello)+1)]); err != nil {
				return err
			}
			s.count.halfOpen.Add(1)
			if rand.IntN(2) == 0 {
				pause(ctx, time.Duration(rand.IntN(5000))*time.Millisecond)
				return nil
			}
			_ = nc.SetDeadline(time.Now().Add(sessionTime)) // the server's own limit is 10 s
			stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
			defer stop()
			if _, err := io.Copy(io.Discard, nc); err != nil && ctx.Err() == nil {
				return fmt.Errorf("the server did not close: %w", err)
			}
			return nil
		})
	}
}

// guess tries wrong passwords from changing addresses.
func (s *soak) guess(ctx context.Context) {
	for pause(ctx, s.think(500*time.Millisecond)) {
		s.try("guess", func() error {
			reply, err := s.wrong(fmt.Sprintf("guessed%d", rand.IntN(1000)))
			if err == nil && !containsLine(reply, "-ERR ") {
				err = fmt.Errorf("a wrong password got %q", reply)
			}
			s.count.guesses.Add(1)
			return err
		})
	}
}

// wrong signs in from a random address of the loopback where it must not work and returns all that the server says.
func (s *soak) wrong(user string) ([]byte, error) {
	from := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(250)), byte(1+rand.IntN(250)))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: sessionTime}
	nc, err := d.Dial("tcp", s.d.pop3)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(sessionTime))
	for _, line := range []string{"USER " + user, "PASS wrong", "QUIT"} {
		if _, err := fmt.Fprintf(nc, "%s\r\n", line); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(nc)
}
