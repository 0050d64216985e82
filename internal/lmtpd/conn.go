package lmtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// A conn is one session. One goroutine reads, executes and answers.
type conn struct {
	srv *Server
	nc  net.Conn
	opt *Options
	r   *bufio.Reader
	w   *bufio.Writer

	helo  string
	bad   int       // bad commands in a row
	env   *envelope // nil outside of a transaction
	quit  bool
	fault error     // the first error of writing: the session is over
	until time.Time // by then the next command, or the message, must be there

	mu      sync.Mutex
	inData  bool // a message is being taken in: Stop lets it
	closing bool // Stop has woken the session
}

func (c *conn) peer() string {
	if a := c.nc.RemoteAddr(); a != nil && a.Network() != "unix" {
		return a.String()
	}
	return "unix"
}

// refuse answers a connection that is not served.
func (c *conn) refuse(r reply) {
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.nc.Write(r.appendTo(nil, ""))
}

func (c *conn) serve() {
	c.r = c.srv.readers.Get().(*bufio.Reader)
	c.r.Reset(deadlineReader{c})
	c.w = bufio.NewWriterSize(deadlineWriter{c}, 4<<10)
	defer func() {
		if v := recover(); v != nil {
			c.srv.logger(c).Error("lmtp: bug: session panicked", "panic", v, "stack", string(debug.Stack()))
			c.refuse(reply{421, "4.3.0", "internal error, try again later"})
		}
		c.drop()
		c.r.Reset(nil)
		c.srv.readers.Put(c.r)
	}()
	c.reply(reply{220, "", c.opt.Hostname + " LMTP Postamt"})
	for !c.quit && c.fault == nil {
		if !c.moreBuffered() {
			c.flush()
		}
		line, err := c.readLine()
		if err != nil {
			c.bye(err)
			return
		}
		c.command(line)
		if c.bad >= c.opt.MaxBadCommands {
			c.reply(reply{421, "4.7.0", "too many bad commands"})
			break
		}
	}
	c.flush()
}

var (
	errClosing = errors.New("lmtpd: closing")
	errTooLong = errors.New("lmtpd: command too long")
)

// readLine returns a command without its line end; it is valid until the next read. A line too long for a command is
// answered and passed over; one that does not even fit the buffer is errTooLong.
func (c *conn) readLine() ([]byte, error) {
	for {
		c.until = time.Now().Add(c.opt.CommandTimeout)
		line, err := c.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errTooLong
		case err != nil:
			return nil, err
		case len(line) <= maxLine:
			return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
		}
		c.badCommand(reply{500, "5.5.2", "line is too long"})
		c.flush()
		if c.fault != nil {
			return nil, c.fault
		}
		if c.bad >= c.opt.MaxBadCommands {
			return nil, errTooLong
		}
	}
}

// bye says why the session ends, if the other end may still be there to read it.
func (c *conn) bye(err error) {
	var ne net.Error
	switch {
	case c.srv.isClosing(), errors.Is(err, errClosing):
		c.reply(reply{421, "4.3.2", "closing down, try again later"})
	case errors.Is(err, errTooLong):
		c.reply(reply{421, "4.7.0", "line is too long"})
	case errors.As(err, &ne) && ne.Timeout():
		c.reply(reply{421, "4.4.2", "no command for too long"})
	default:
		return
	}
	c.flush()
}

// moreBuffered says whether a whole further command has come in already, so that the replies can wait for it (RFC 2920).
func (c *conn) moreBuffered() bool {
	window, _ := c.r.Peek(c.r.Buffered())
	return bytes.IndexByte(window, '\n') >= 0
}

func (c *conn) reply(r reply) { c.replyFor(r, "") }

func (c *conn) replyFor(r reply, recipient string) {
	if c.fault == nil {
		_, c.fault = c.w.Write(r.appendTo(c.w.AvailableBuffer(), recipient))
	}
}

func (c *conn) badCommand(r reply) {
	c.bad++
	c.reply(r)
}

func (c *conn) flush() {
	if c.fault == nil {
		c.fault = c.w.Flush()
	}
}

// wake makes the session notice that the server closes, unless it is taking in a message.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	if !c.inData {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// setInData marks the time in which a message is taken in.
func (c *conn) setInData(in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inData = in
	if in {
		c.until = time.Now().Add(c.opt.MessageTimeout)
	}
}

// armRead sets the deadline of the next read, unless the server is closing. It must not ask the server about that: between
// the answer and the deadline the session could be woken in vain.
func (c *conn) armRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.until
	if c.inData {
		if more := time.Now().Add(c.opt.DataTimeout); more.Before(until) {
			until = more
		}
	} else if c.closing {
		return errClosing
	}
	return c.nc.SetReadDeadline(until)
}

type deadlineReader struct{ c *conn }

func (d deadlineReader) Read(p []byte) (int, error) {
	if err := d.c.armRead(); err != nil {
		return 0, err
	}
	return d.c.nc.Read(p)
}

type deadlineWriter struct{ c *conn }

func (d deadlineWriter) Write(p []byte) (int, error) {
	if err := d.c.nc.SetWriteDeadline(time.Now().Add(d.c.opt.WriteTimeout)); err != nil {
		return 0, err
	}
	return d.c.nc.Write(p)
}

var _ io.Reader = deadlineReader{}
