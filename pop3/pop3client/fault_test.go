package pop3client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

func TestSession(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 7, 1000} {
		got, whole, err := session(t.Context(), inTheClear(pop3test.NewScriptedPeer(t, sessionScript.Segmented(size)...)))
		if err != nil || !whole || got != sessionMessage {
			t.Errorf("in segments of %d: %q, %v", size, got, err)
		}
	}
}

// TestCutAtEveryOctet: wherever the server hangs up, the session ends with an error that says so, and half a message is
// never taken for a whole one (C-013).
func TestCutAtEveryOctet(t *testing.T) {
	t.Parallel()
	for n := range sessionScript.Octets() {
		got, whole, err := session(t.Context(), inTheClear(pop3test.NewScriptedPeer(t, sessionScript.FaultAfter(n, pop3test.Cut())...)))
		var conn *pop3client.ConnError
		if !errors.As(err, &conn) {
			t.Errorf("cut after %d octets: error %v, want a *ConnError", n, err)
		}
		if whole && got != sessionMessage {
			t.Errorf("cut after %d octets: %q was reported as whole", n, got)
		}
	}
}

func TestResetOverTCP(t *testing.T) {
	t.Parallel()
	for n := 0; n < sessionScript.Octets(); n += 17 {
		opt := inTheClear(nil)
		addr := pop3test.NewScriptedPeer(t, sessionScript.FaultAfter(n, pop3test.Reset())...).Listen()
		opt.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		_, _, err := session(t.Context(), opt)
		if err == nil {
			t.Errorf("reset after %d octets: no error", n)
		}
	}
}

// TestStallAtEveryOctet: wherever the server falls silent, the client gives up in bounded time (C-014).
func TestStallAtEveryOctet(t *testing.T) {
	t.Parallel()
	for n := range sessionScript.Octets() {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, whole, err := session(t.Context(), inTheClear(pop3test.NewScriptedPeer(t, sessionScript.FaultAfter(n, pop3test.Stall(never))...)))
			if !errors.Is(err, pop3client.ErrTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("stall after %d octets: error %v, want ErrTimeout", n, err)
			}
			if took := time.Since(start); took > 5*time.Minute {
				t.Errorf("stall after %d octets: gave up after %v", n, took)
			}
			if whole && err == nil {
				t.Errorf("stall after %d octets: session succeeded", n)
			}
		})
	}
}

// TestCancelAtEveryOctet: wherever the dialogue stands, the end of the context ends the command at once, with the cause.
func TestCancelAtEveryOctet(t *testing.T) {
	t.Parallel()
	cause := errors.New("the caller has had enough")
	for n := range sessionScript.Octets() {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			start := time.Now()
			// The peer falls silent, and a second later the context ends.
			stop := time.AfterFunc(time.Second, func() { cancel(cause) })
			defer stop.Stop()
			_, _, err := session(ctx, inTheClear(pop3test.NewScriptedPeer(t, sessionScript.FaultAfter(n, pop3test.Stall(never))...)))
			if !errors.Is(err, cause) {
				t.Errorf("cancelled after %d octets: error %v, want the cause", n, err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("cancelled after %d octets: returned after %v, want 1s", n, took)
			}
		})
	}
}

func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	c := open(t, `
		C: NOOP
		S: +OK
	`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Noop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Noop with an ended context: %v", err)
	}
	// Nothing was sent, so the session goes on.
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("Noop after that: %v", err)
	}
}

// TestSlowServer: a server that is slow but makes progress is waited for, one that sends octet by octet is not.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	line := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n" // 64 octets
	slow := func(every time.Duration, lines int) pop3test.Script {
		script := pop3test.Dialogue("S: +OK\nC: RETR 1\nS: +OK")
		for range lines {
			script = script.Then(pop3test.Stall(every), pop3test.Send(line))
		}
		return script.Then(pop3test.Reply("."), pop3test.MayHangUp())
	}
	for _, test := range []struct {
		name  string
		every time.Duration
		want  error
	}{
		{"1 KiB in 112 s", 7 * time.Second, nil},
		{"1 KiB in 144 s", 9 * time.Second, pop3client.ErrTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, slow(test.every, 100))
				m, err := c.Retr(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.Copy(io.Discard, m)
				if !errors.Is(err, test.want) {
					t.Errorf("%d octets, error %v, want %v", n, err, test.want)
				}
			})
		})
	}
}

// TestSlowCaller: time that the caller takes is not the server's fault.
func TestSlowCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, pop3test.Dialogue("S: +OK\nC: RETR 1").Then(pop3test.Send("+OK\r\nfirst\r\n"), pop3test.Send("second\r\n.\r\n")))
		m, err := c.Retr(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 7)
		if _, err := io.ReadFull(m, buf); err != nil {
			t.Fatal(err)
		}
		select { // the caller's disk is slow
		case <-time.After(15 * time.Second):
		case <-t.Context().Done():
		}
		if rest, err := io.ReadAll(m); string(rest) != "second\r\n" || err != nil {
			t.Errorf("rest %q, %v", rest, err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	silent := pop3test.Script{pop3test.Stall(never)}
	greeted := pop3test.Dialogue("S: +OK").Then(silent...)
	for _, test := range []struct {
		name   string
		script pop3test.Script
		do     func(ctx context.Context, opt *pop3client.Options) error
		want   time.Duration
	}{
		{"no greeting", silent, func(ctx context.Context, opt *pop3client.Options) error {
			_, err := pop3client.Dial(ctx, "h", opt)
			return err
		}, time.Minute},
		{"no handshake", silent, func(ctx context.Context, opt *pop3client.Options) error {
			opt.Security = pop3client.TLS
			_, err := pop3client.Dial(ctx, "h", opt)
			return err
		}, time.Minute},
		{"no answer to STLS", greeted, func(ctx context.Context, opt *pop3client.Options) error {
			opt.Security = pop3client.STLS
			_, err := pop3client.Dial(ctx, "h", opt)
			return err
		}, time.Minute},
		{"no answer to NOOP", greeted, func(ctx context.Context, opt *pop3client.Options) error {
			c, err := pop3client.Dial(ctx, "h", opt)
			if err != nil {
				return err
			}
			return c.Noop(ctx)
		}, 2 * time.Minute},
		{"no answer to QUIT", greeted, func(ctx context.Context, opt *pop3client.Options) error {
			c, err := pop3client.Dial(ctx, "h", opt)
			if err != nil {
				return err
			}
			return c.Quit(ctx)
		}, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := test.do(t.Context(), inTheClear(pop3test.NewScriptedPeer(t, test.script...)))
				if !errors.Is(err, pop3client.ErrTimeout) {
					t.Errorf("error %v, want ErrTimeout", err)
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("gave up after %v, want %v", took, test.want)
				}
			})
		})
	}
}

func TestCloseFromAnotherGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, "", pop3test.Stall(never))
		time.AfterFunc(time.Second, func() { c.Close() })
		if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("Noop: %v, want ErrClosed", err)
		}
		if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("Noop after that: %v, want ErrClosed", err)
		}
	})
}
