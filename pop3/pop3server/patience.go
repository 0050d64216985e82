package pop3server

import (
	"errors"
	"net"
	"os"
	"time"
)

// A patience tells a client that is slow from one that stands still. The kernel takes octets in steps of up to some MiB, so
// the deadline of a write may pass while octets still leave: what counts is whether the other end acknowledges any.
type patience struct {
	timeout time.Duration
	queued  func() (octets int, ok bool) // sent or to be sent, and not acknowledged
	last    int                          // queued at the last deadline that passed
	asked   bool                         // last is of the write under way
}

// goOn reports whether a write that ended with err after n octets shall go on with a new deadline. A client that stands
// still is noticed at the second deadline at the latest.
func (p *patience) goOn(n int64, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		p.asked = false
		return false
	}
	q, ok := p.queued()
	if !ok {
		return false // no socket: n octets were taken, and the rest was not
	}
	moved := n > 0 || !p.asked || q < p.last
	p.last, p.asked = q, moved
	return moved
}

// A patientConn is what TLS writes to: a record that was cut by a deadline cannot be taken up again from above.
type patientConn struct {
	net.Conn
	patience
	on bool // after the handshake, which has a deadline for all of it
}

func (c *patientConn) Write(b []byte) (int, error) {
	done := 0
	for {
		n, err := c.Conn.Write(b[done:])
		done += n
		if !c.goOn(int64(n), err) || !c.on {
			return done, err
		}
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return done, err
		}
	}
}
