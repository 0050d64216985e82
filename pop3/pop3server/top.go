package pop3server

import (
	"bytes"
	"fmt"

	"github.com/postamt/postamt/internal/wire"
)

// topChunk is how much of a message is read at a time for TOP.
const topChunk = 16 << 10

// sendTop sends the response to TOP and closes body. An error that is no *endError means that nothing was sent yet. Where
// the message ends before the top does, it must have the octets that LIST shows, or clients would take a part for the whole.
func (c *Conn) sendTop(body Body, size, lines int64) error {
	defer func() { _ = body.R.Close() }()
	form := c.form(body)
	if form != wire.Text && body.Size != size {
		return damaged(fmt.Errorf("pop3server: LIST shows %d octets, the message has %d", size, body.Size))
	}
	buf := wire.GetBuffer()
	defer wire.PutBuffer(buf)

	chunk := buf[:topChunk]
	header := lines == 0 && form != wire.Text && body.Header > 0 && body.Header <= int64(len(buf))
	if header {
		chunk = buf[:body.Header]
	}
	left := octetsOf(body, form)
	n, last, err := readChunk(body.R, chunk, left)
	if err != nil {
		return unreadable(err)
	}
	cut := topCut{lines: lines, blank: true}
	keep, done := cut.next(chunk[:n])
	if header && n < len(chunk) || last && !done && form != wire.Text && int64(n) != size {
		return damaged(errShortBody)
	}
	c.w.OK("top of message follows")
	dot := &c.dot
	dot.Reset(c.w, form)
	for {
		if _, err := dot.Write(chunk[:keep]); err != nil {
			return c.flush()
		}
		if done || last || header {
			break
		}
		left -= int64(n)
		if n, last, err = readChunk(body.R, chunk, left); err != nil {
			return end(ReasonFault, unreadable(err))
		}
		keep, done = cut.next(chunk[:n])
	}
	if done || header {
		size = -1 // it may be any part of the message
	}
	return c.endStuffed(size)
}

// A topCut finds where TOP ends: so many lines after the first empty line.
type topCut struct {
	lines  int64 // of the body, still to come
	inBody bool
	blank  bool // the line has nothing so far, but perhaps a CR
	cr     bool // it has a CR
}

// next returns how many octets of p belong to the top, and whether that was all.
func (t *topCut) next(p []byte) (n int, done bool) {
	for !t.done() && n < len(p) {
		i := bytes.IndexByte(p[n:], '\n')
		if i < 0 {
			t.partial(p[n:])
			return len(p), false
		}
		t.partial(p[n : n+i])
		n += i + 1
		switch {
		case t.inBody:
			t.lines--
		case t.blank:
			t.inBody = true
		}
		t.blank, t.cr = true, false
	}
	return n, t.done()
}

func (t *topCut) done() bool { return t.inBody && t.lines == 0 }

// partial takes note of octets of a line, without its LF.
func (t *topCut) partial(p []byte) {
	if t.inBody || len(p) == 0 {
		return
	}
	if len(p) == 1 && p[0] == '\r' && !t.cr {
		t.cr = true
		return
	}
	t.blank = false
}
