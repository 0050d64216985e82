// Package strictpop3 is a small strict POP3 client for measuring: it allocates little, checks every
// reply, and never repairs what a server got wrong.
package strictpop3

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is one POP3 session seen from the client.
type Conn struct {
	nc   net.Conn
	buf  []byte
	r, w int
	out  []byte
	in   int64 // octets read from the connection, after TLS
}

// New wraps a connected socket and takes over buf (nil allocates one), so that a worker can
// hand the same buffer from session to session.
func New(nc net.Conn, buf []byte) *Conn {
	if buf == nil {
		buf = make([]byte, 128<<10)
	}
	return &Conn{nc: nc, buf: buf}
}

// Octets is the number of octets received so far.
func (c *Conn) Octets() int64 { return c.in }

// SetDeadline bounds everything that follows.
func (c *Conn) SetDeadline(t time.Time) { c.nc.SetDeadline(t) }

// Close drops the connection without a QUIT.
func (c *Conn) Close() error { return c.nc.Close() }

// StartTLS runs the client side of the handshake on the open connection.
func (c *Conn) StartTLS(cfg *tls.Config) error {
	if c.r != c.w {
		return errors.New("server sent octets after its reply to STLS")
	}
	tc := tls.Client(c.nc, cfg)
	if err := tc.Handshake(); err != nil {
		return fmt.Errorf("tls handshake: %w", err)
	}
	c.nc = tc
	return nil
}

func (c *Conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	} else if c.w == len(c.buf) {
		if c.r == 0 {
			return errors.New("line longer than the read buffer")
		}
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	c.in += int64(n)
	if n > 0 {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// line returns the next line without its CRLF; it stays valid until the next read.
func (c *Conn) line() ([]byte, error) {
	from := 0
	for {
		b := c.buf[c.r:c.w]
		if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
			i += from
			c.r += i + 1
			if i == 0 || b[i-1] != '\r' {
				return nil, fmt.Errorf("line not ended by CRLF: %q", clip(b[:i+1]))
			}
			return b[:i-1], nil
		}
		from = len(b)
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// OK reads a status line and fails on anything but +OK. The rest of the line is returned.
func (c *Conn) OK() ([]byte, error) {
	l, err := c.line()
	if err != nil {
		return nil, err
	}
	if len(l) < 3 || string(l[:3]) != "+OK" || (len(l) > 3 && l[3] != ' ') {
		return nil, fmt.Errorf("expected +OK, got %q", clip(l))
	}
	if len(l) > 510 {
		return nil, fmt.Errorf("status line of %d octets, over the 512 of RFC 1939", len(l)+2)
	}
	return bytes.TrimPrefix(l[3:], []byte(" ")), nil
}

// Challenge reads a server's challenge within AUTH (RFC 5034 §4) and returns it as it came, in base64.
func (c *Conn) Challenge() ([]byte, error) {
	l, err := c.line()
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(l, []byte("+ "))
	if !ok {
		return nil, fmt.Errorf("expected a challenge, got %q", clip(l))
	}
	return rest, nil
}

// Put queues a command; Flush sends what is queued.
func (c *Conn) Put(cmd string) { c.out = append(append(c.out, cmd...), '\r', '\n') }

// PutN queues a command with a message number.
func (c *Conn) PutN(cmd string, n int, tail string) {
	c.out = append(append(c.out, cmd...), ' ')
	c.out = strconv.AppendInt(c.out, int64(n), 10)
	c.out = append(append(c.out, tail...), '\r', '\n')
}

// Flush writes the queued commands in one write.
func (c *Conn) Flush() error {
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Cmd sends one command and reads its status line.
func (c *Conn) Cmd(cmd string) ([]byte, error) {
	c.Put(cmd)
	if err := c.Flush(); err != nil {
		return nil, err
	}
	rest, err := c.OK()
	if err != nil {
		return nil, fmt.Errorf("%.4s: %w", cmd, err)
	}
	return rest, nil
}

var lfDot = []byte("\n.")

// Multi reads a multi-line response (after its status line) to the terminating ".", undoes the
// dot-stuffing, hands the content to emit piece by piece (nil: nobody) and returns its octets.
func (c *Conn) Multi(emit func([]byte)) (n int64, err error) {
	bol, prev := true, byte('\n')
	for {
		if c.r == c.w {
			if err := c.fill(); err != nil {
				return n, err
			}
		}
		if bol && c.buf[c.r] == '.' {
			for c.w-c.r < 3 {
				if err := c.fill(); err != nil {
					return n, err
				}
			}
			if c.buf[c.r+1] == '\r' && c.buf[c.r+2] == '\n' {
				c.r += 3
				return n, nil
			}
			if c.buf[c.r+1] != '.' {
				return n, fmt.Errorf("line begins with an unstuffed dot: %q", clip(c.buf[c.r:c.w]))
			}
			c.r++
		}
		b := c.buf[c.r:c.w]
		if i := bytes.Index(b, lfDot); i >= 0 {
			b = b[:i+1]
		}
		c.r += len(b)
		n += int64(len(b))
		if emit != nil {
			emit(b)
		}
		last := b[len(b)-1]
		if bol = last == '\n'; bol {
			if len(b) > 1 {
				prev = b[len(b)-2]
			}
			if prev != '\r' {
				return n, fmt.Errorf("content line not ended by CRLF: %q", clip(b[max(0, len(b)-80):]))
			}
		}
		prev = last
	}
}

// Quit sends QUIT, wants +OK and then the server's close.
func (c *Conn) Quit() error {
	if _, err := c.Cmd("QUIT"); err != nil {
		return err
	}
	return c.Closed()
}

// Closed wants the server to close the connection with nothing more sent.
func (c *Conn) Closed() error {
	if c.r != c.w {
		return fmt.Errorf("octets after the reply to QUIT: %q", clip(c.buf[c.r:c.w]))
	}
	n, err := c.nc.Read(c.buf[:64])
	if n > 0 {
		return fmt.Errorf("octets after the reply to QUIT: %q", clip(c.buf[:n]))
	}
	if err != io.EOF {
		return fmt.Errorf("server did not close after QUIT: %v", err)
	}
	return c.nc.Close()
}

// Stat parses the answer to STAT.
func Stat(rest []byte) (count int, octets int64, err error) {
	a, b, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return 0, 0, fmt.Errorf("STAT answer %q", clip(rest))
	}
	b, _, _ = bytes.Cut(b, []byte(" "))
	n, ok1 := number(a)
	o, ok2 := number(b)
	if !ok1 || !ok2 {
		return 0, 0, fmt.Errorf("STAT answer %q", clip(rest))
	}
	return int(n), o, nil
}

// EachNumbered walks the lines "N value" of a LIST or UIDL answer, which must count up from 1.
func EachNumbered(content []byte, f func(n int, value []byte) error) error {
	for want := 1; len(content) > 0; want++ {
		i := bytes.IndexByte(content, '\n')
		if i < 1 {
			return fmt.Errorf("listing line %q", clip(content))
		}
		a, b, ok := bytes.Cut(content[:i-1], []byte(" "))
		n, ok1 := number(a)
		if !ok || !ok1 || n != int64(want) || len(b) == 0 {
			return fmt.Errorf("listing line %d is %q", want, clip(content[:i]))
		}
		if err := f(want, b); err != nil {
			return err
		}
		content = content[i+1:]
	}
	return nil
}

// Size parses the size column of LIST.
func Size(b []byte) (int64, error) {
	n, ok := number(b)
	if !ok {
		return 0, fmt.Errorf("size %q", clip(b))
	}
	return n, nil
}

func number(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func clip(b []byte) []byte { return b[:min(len(b), 120)] }
