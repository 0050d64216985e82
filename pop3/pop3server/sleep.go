package pop3server

import (
	"errors"
	"os"
	"time"
)

// A session that has heard nothing for a while sleeps: its goroutine, with a stack of 4 KiB, ends, and one with 2 KiB waits
// in its place, and it has no buffer. Nothing else of it changes; what comes finds it as it was.

// nap is how long a session waits for a command before it sleeps, or twice that: see deadline.
const nap = time.Second

// errAsleep ends a turn of a session, not the session.
var errAsleep = errors.New("pop3server: asleep")

// readCommand is readLine between commands, where the session can sleep: then it returns errAsleep.
func (c *Conn) readCommand(limit int) ([]byte, error) {
	switch {
	case c.slept:
		c.slept = false
		return c.lineRead(c.r.ReadLine(limit)) // before the deadline that it went to sleep with
	case c.sock == nil || c.r.Buffered() > 0:
		return c.readLine(limit)
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	if err := c.arm(c.doze); err != nil {
		return nil, err
	}
	line, err := c.r.ReadLine(limit)
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.isDraining() {
		return c.lineRead(line, err)
	}
	if err := c.expect(c.s.opt.IdleTimeout - c.s.nap); err != nil {
		return nil, err
	}
	if c.r.Buffered() > 0 { // a part of a line
		return c.lineRead(c.r.ReadLine(limit))
	}
	c.r.Rest()
	c.slept = true
	return nil, errAsleep
}

// doze is the deadline for a nap.
func (c *Conn) doze() (at time.Time, set bool) {
	return c.reading.extendLate(time.Now(), c.s.nap, c.s.nap)
}

// sleep waits for the next turn of the session.
func (c *Conn) sleep() {
	if f := c.s.sleeps; f != nil {
		f()
	}
	c.sock.wait()
	go c.s.turn(func() *Conn { return c })
}
