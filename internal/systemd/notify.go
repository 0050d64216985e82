package systemd

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// A Notifier tells the service manager about the state of the service. Its methods may be called concurrently. The nil
// Notifier is one without a manager: it does nothing.
type Notifier struct {
	addr net.UnixAddr
}

// writeTimeout bounds a notification: a manager that does not read must not stop the service.
const writeTimeout = 2 * time.Second

// NewNotifier returns the Notifier for $NOTIFY_SOCKET, nil if there is none. getenv is os.Getenv.
func NewNotifier(getenv func(string) string) *Notifier {
	name := getenv("NOTIFY_SOCKET")
	if name == "" || name[0] != '/' && name[0] != '@' { // vsock: is for virtual machines only
		return nil
	}
	// For net, a leading @ is the abstract namespace, just as for systemd.
	return &Notifier{addr: net.UnixAddr{Name: name, Net: "unixgram"}}
}

// Ready says that start, or a reload, is done.
func (n *Notifier) Ready(status string) error {
	return n.send("READY=1", statusLine(status))
}

// Reloading says that the configuration is being read anew. Ready must follow.
func (n *Notifier) Reloading() error {
	if n == nil {
		return nil
	}
	// Type=notify-reload compares this with the time of its signal.
	now, err := monotonic()
	if err != nil {
		return fmt.Errorf("systemd: reading the monotonic clock: %w", err)
	}
	return n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(now.Microseconds(), 10))
}

// monotonic reads CLOCK_MONOTONIC. Package time uses it, too, but gives out differences only.
func monotonic() (time.Duration, error) {
	const clockMonotonic = 1
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(ts.Nano()), nil
}

// Stopping says that the service is going down.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Status sets the line that systemctl status shows.
func (n *Notifier) Status(status string) error { return n.send(statusLine(status)) }

// Watchdog says that the service is alive.
func (n *Notifier) Watchdog() error { return n.send("WATCHDOG=1") }

// RunWatchdog calls Watchdog twice in every interval as long as alive returns true, until ctx ends. An interval of 0
// returns at once. The caller waits for it. A notification that cannot be sent is tried again at the next turn.
func (n *Notifier) RunWatchdog(ctx context.Context, interval time.Duration, alive func() bool) {
	if n == nil || interval <= 0 {
		return
	}
	tick := time.NewTicker(max(interval/2, time.Millisecond))
	defer tick.Stop()
	for {
		if alive() {
			_ = n.Watchdog() // if it never succeeds, the manager notices by itself
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// WatchdogInterval returns the time within which systemd wants to hear Watchdog, 0 if it does not.
func WatchdogInterval(getenv func(string) string, pid int) time.Duration {
	if p := getenv("WATCHDOG_PID"); p != "" && p != strconv.Itoa(pid) {
		return 0
	}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || usec > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

func statusLine(s string) string {
	const most = 500
	s = strings.Join(strings.Fields(s), " ") // a line end would begin another assignment
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return "STATUS=" + s
}

// send sends one datagram.
func (n *Notifier) send(lines ...string) error {
	if n == nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &n.addr)
	if err != nil {
		return fmt.Errorf("systemd: cannot notify the service manager: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("systemd: cannot notify the service manager: %w", err)
	}
	if _, err := conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("systemd: cannot notify the service manager: %w", err)
	}
	return nil
}
