package systemd

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		call func(*Notifier) error
		want string
	}{
		{"ready", func(n *Notifier) error { return n.Ready("serving") }, "READY=1\nSTATUS=serving"},
		{"stopping", (*Notifier).Stopping, "STOPPING=1"},
		{"watchdog", (*Notifier).Watchdog, "WATCHDOG=1"},
		{"status is one line", func(n *Notifier) error { return n.Status("a\nREADY=1\r b") }, "STATUS=a READY=1 b"},
		{"status is bounded", func(n *Notifier) error { return n.Status(strings.Repeat("\u00e4", 300)) }, "STATUS=" + strings.Repeat("\u00e4", 250)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, socket := range []string{filepath.Join(t.TempDir(), "n"), "@postamt-test-" + strings.ReplaceAll(t.Name(), "/", "-")} {
				n, read := manager(t, socket)
				if err := tt.call(n); err != nil {
					t.Fatal(err)
				}
				if got := read(); got != tt.want {
					t.Errorf("over %s: got %q, want %q", socket, got, tt.want)
				}
			}
		})
	}
}

func TestReloadingTellsTheTime(t *testing.T) {
	t.Parallel()
	n, read := manager(t, filepath.Join(t.TempDir(), "n"))
	before, _ := monotonic()
	if err := n.Reloading(); err != nil {
		t.Fatal(err)
	}
	after, _ := monotonic()
	state, stamp, _ := strings.Cut(read(), "\nMONOTONIC_USEC=")
	usec, err := time.ParseDuration(stamp + "us")
	if state != "RELOADING=1" || before == 0 || err != nil || usec < before.Truncate(time.Microsecond) || usec > after {
		t.Errorf("got %q, %v, want a time between %v and %v", state, usec, before, after)
	}
}

func TestWithoutManager(t *testing.T) {
	t.Parallel()
	n := NewNotifier(func(string) string { return "" })
	if n != nil {
		t.Fatal("a Notifier without a socket")
	}
	n.RunWatchdog(t.Context(), time.Hour, func() bool { return true })
	for _, err := range []error{n.Ready(""), n.Reloading(), n.Stopping(), n.Status("x"), n.Watchdog()} {
		if err != nil {
			t.Error(err)
		}
	}
	if NewNotifier(func(string) string { return "vsock:2:1234" }) != nil {
		t.Error("vsock was taken for a path")
	}
}

func TestManagerGone(t *testing.T) {
	t.Parallel()
	n := NewNotifier(func(string) string { return filepath.Join(t.TempDir(), "none") })
	if err := n.Watchdog(); err == nil || !strings.HasPrefix(err.Error(), "systemd: cannot notify the service manager: ") {
		t.Errorf("got %v", err)
	}
}

func TestRunWatchdog(t *testing.T) {
	t.Parallel()
	n, read := manager(t, filepath.Join(t.TempDir(), "n"))
	ctx, cancel := context.WithCancel(t.Context())
	calls := make(chan bool, 100)
	calls <- true
	calls <- false // not alive: nothing is sent
	calls <- true
	asked := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.RunWatchdog(ctx, 4*time.Millisecond, func() bool {
			asked++
			select {
			case alive := <-calls:
				return alive
			default:
				cancel()
				return false
			}
		})
	}()
	<-done
	if asked < 4 {
		t.Errorf("asked %d times whether it is alive, want 4", asked)
	}
	for range 2 {
		if got := read(); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	if err := n.Status("end"); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "STATUS=end" {
		t.Errorf("got %q, want no third WATCHDOG", got)
	}
}

func TestWatchdogInterval(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pid, usec string
		want      time.Duration
	}{
		{"", "", 0},
		{"", "30000000", 30 * time.Second},
		{"7", "30000000", 30 * time.Second},
		{"8", "30000000", 0},
		{"7", "-1", 0},
		{"7", "x", 0},
		{"7", "9223372036854775807", 0},
	} {
		env := map[string]string{"WATCHDOG_PID": tt.pid, "WATCHDOG_USEC": tt.usec}
		if got := WatchdogInterval(func(k string) string { return env[k] }, 7); got != tt.want {
			t.Errorf("PID %q USEC %q: %v, want %v", tt.pid, tt.usec, got, tt.want)
		}
	}
}

// manager plays systemd on a socket.
func manager(t *testing.T, socket string) (n *Notifier, read func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n = NewNotifier(func(key string) string {
		if key != "NOTIFY_SOCKET" {
			t.Errorf("asked for %s", key)
		}
		return socket
	})
	return n, func() string {
		buf := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		k, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:k])
	}
}
