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
	cut    time.Time // if set, everything must be done by then
}

// renew begins a new window.
func (t *transport) renew(window time.Duration) {
	t.window, t.waited, t.got = window, 0, 0
}

func (t *transport) deadline(now time.Time, left time.Duration) time.Time {
	switch {
	case t.window == 0:
		return t.cut
	case !t.cut.IsZero() && t.cut.Before(now.Add(left)):
		return t.cut
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
