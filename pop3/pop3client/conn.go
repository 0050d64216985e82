package pop3client

import (
	"errors"
	"io"
	"net"
	"time"
)

// transport is the connection with deadlines that are about progress: a window of time for each minProgress octets, in
// which only the time spent waiting for the network counts.
type transport struct {
	net.Conn
	window time.Duration // 0: no deadline
	waited time.Duration
	got    int
}

// renew begins a new window.
func (t *transport) renew(window time.Duration) {
	t.window, t.waited, t.got = window, 0, 0
}

// deadline returns when a wait must end that begins now and may take what is left of the window.
func (t *transport) deadline(now time.Time, left time.Duration) time.Time {
	if t.window == 0 {
		return time.Time{}
	}
	return now.Add(left)
}

func (t *transport) Read(b []byte) (int, error) {
	start := time.Now()
	err := t.SetReadDeadline(t.deadline(start, t.window-t.waited))
	if err != nil && !errors.Is(err, io.ErrClosedPipe) { // a net.Pipe refuses once its other end is closed; Read tells more
		return 0, err
	}
	n, err := t.Conn.Read(b)
	if t.got += n; t.got >= minProgress {
		t.got, t.waited = 0, 0
	} else {
		t.waited += time.Since(start)
	}
	return n, err
}

func (t *transport) Write(b []byte) (int, error) {
	if err := t.SetWriteDeadline(t.deadline(time.Now(), t.window)); err != nil {
		return 0, err
	}
	return t.Conn.Write(b)
}
