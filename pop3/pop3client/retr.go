package pop3client

import (
	"context"
	"fmt"
	"io"

	"github.com/postamt/postamt/internal/wire"
)

// A Message is the body of a RETR or TOP response, as it comes in: with the server's line ends, without byte-stuffing and
// without the terminating line. It must be read to io.EOF or closed before the session takes another command; only a
// message read to io.EOF, or that WriteTo has copied without an error, is whole.
type Message struct {
	// Num is the message-number.
	Num int
	// Size is what the reply to RETR said about the size in octets, -1 for nothing. It is a hint for a progress bar and
	// never decides where the message ends.
	Size int64

	c   *Client
	dot *wire.DotReader
	err error // what Read returns from now on
}

// Retr sends RETR and returns message num as it comes in. ctx watches until the message is read or closed.
func (c *Client) Retr(ctx context.Context, num int) (*Message, error) {
	if err := checkNum("RETR", num); err != nil {
		return nil, err
	}
	text, err := c.command(ctx, "RETR", num)
	if err != nil {
		return nil, err
	}
	return c.message(num, declaredSize(text)), nil
}

// Top sends TOP and returns the header of message num, the empty line and the first lines of its body. Servers need not
// know TOP, and some send more or less than they should.
func (c *Client) Top(ctx context.Context, num, lines int) (*Message, error) {
	if err := checkNum("TOP", num); err != nil {
		return nil, err
	}
	if lines < 0 {
		return nil, fmt.Errorf("pop3client: TOP: %w: %d lines", ErrArgument, lines)
	}
	if _, err := c.command(ctx, "TOP", num, lines); err != nil {
		return nil, err
	}
	return c.message(num, -1), nil
}

// message begins the body that follows the status line just read.
func (c *Client) message(num int, size int64) *Message {
	// A server whose status line ends with a bare LF ends its bodies in the same way. From any other one, `LF . LF` is
	// content: taking it for the end would cut off the rest of the message.
	c.r.BareLF = c.r.EndedBare() || c.opt.BareLF
	return &Message{Num: num, Size: size, c: c, dot: c.r.DotReader(c.opt.MaxMessage)}
}

// Octets returns how many octets were read so far.
func (m *Message) Octets() int64 { return m.dot.Octets() }

// Read reads the message. It returns io.EOF after the terminating line only; a message that was cut off ends with a
// *ConnError.
func (m *Message) Read(p []byte) (int, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	n, err := m.dot.Read(p)
	if err != nil {
		err = m.ended(err)
	}
	return n, err
}

// WriteTo writes the rest of the message to w without copying it. After an error of w the message cannot be read on, and
// should be closed.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	if err := m.check(); err != nil {
		if err == io.EOF {
			return 0, nil
		}
		return 0, err
	}
	out := sink{w: w}
	n, err := m.dot.WriteTo(&out)
	switch {
	case out.err != nil:
		m.err = out.err
		return n, out.err
	case err == nil:
		err = io.EOF
	}
	if err = m.ended(err); err == io.EOF {
		err = nil
	}
	return n, err
}

// check returns what there is to say instead of more octets.
func (m *Message) check() error {
	if m.err == nil && m.c.err != nil {
		m.err = m.c.err // the session ended while the message was open
	}
	return m.err
}

// sink remembers the error of a writer, to tell it from the reader's.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.err = err
	return n, err
}

// ended ends the command: the message was read to its end, or the connection failed.
func (m *Message) ended(err error) error {
	if err != io.EOF {
		m.err = m.c.fail(err)
		return m.err
	}
	m.c.end()
	m.err = io.EOF
	return io.EOF
}

// Close ends the reading. What is left is skipped, so that the session can go on; if it is more than Options.MaxDrain, the
// connection is closed instead and the error is ErrAbandoned. After the end of the message Close does nothing.
func (m *Message) Close() error {
	if m.dot.Ended() || m.c.err != nil {
		return nil
	}
	limit := m.c.opt.MaxDrain
	if limit >= 0 && m.Size >= 0 && m.Size-m.dot.Octets() > limit {
		return m.abandon()
	}
	drain := drainer{left: limit}
	_, err := m.dot.WriteTo(&drain)
	switch {
	case err == ErrAbandoned:
		return m.abandon()
	case err != nil:
		return m.ended(err)
	}
	if m.err == nil {
		m.err = errClosedMessage
	}
	m.c.end()
	return m.c.err
}

const errClosedMessage reason = "pop3client: message read after Close"

func (m *Message) abandon() error {
	m.err = m.c.fail(ErrAbandoned)
	return m.err
}

// drainer throws octets away up to a limit; a negative one is none.
type drainer struct{ left int64 }

func (d *drainer) Write(p []byte) (int, error) {
	if d.left >= 0 {
		if d.left -= int64(len(p)); d.left < 0 {
			return 0, ErrAbandoned
		}
	}
	return len(p), nil
}
