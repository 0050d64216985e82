// Package lmtp is a small strict LMTP sender for measuring: every reply must have the code that is wanted, and nothing is
// tried a second time.
package lmtp

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"
)

// A Conn is one session seen from the sender, used by one goroutine.
type Conn struct {
	nc      net.Conn
	r       *bufio.Reader
	timeout time.Duration
	out     []byte // what Stuff returned last
	rcpts   int    // of the message under way
}

// Dial connects to addr, over TCP, and begins a session. What the server does not answer or take within timeout is an
// error, here and in all methods.
func Dial(addr string, timeout time.Duration) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	c, err := begin(nc, timeout)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

func begin(nc net.Conn, timeout time.Duration) (*Conn, error) {
	c := &Conn{nc: nc, r: bufio.NewReader(nc), timeout: timeout}
	if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	if err := c.expect("220"); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return c, c.Cmd("250", "LHLO bench.example.org")
}

// Close closes the connection, whatever is under way.
func (c *Conn) Close() error { return c.nc.Close() }

// Quit ends the session. The connection is still to be closed.
func (c *Conn) Quit() error { return c.Cmd("221", "QUIT") }

// Cmd sends a line and wants a reply with the code.
func (c *Conn) Cmd(code, line string) error {
	err := c.Send([]byte(line + "\r\n"))
	if err == nil {
		err = c.expect(code)
	}
	if err != nil {
		return fmt.Errorf("%.4s: %w", line, err)
	}
	return nil
}

// Begin begins a message for the recipients: after it the server waits for the text.
func (c *Conn) Begin(rcpts ...string) error {
	if err := c.Cmd("250", "MAIL FROM:<sender@example.org>"); err != nil {
		return err
	}
	var lines []byte
	for _, to := range rcpts {
		lines = append(lines, "RCPT TO:<"+to+">\r\n"...)
	}
	if err := c.Send(lines); err != nil {
		return fmt.Errorf("RCPT: %w", err)
	}
	for range rcpts {
		if err := c.expect("250"); err != nil {
			return fmt.Errorf("RCPT: %w", err)
		}
	}
	c.rcpts = len(rcpts)
	return c.Cmd("354", "DATA")
}

// Message sends the text of the message that was begun and wants it taken for every recipient. msg ends with a line end.
func (c *Conn) Message(msg []byte) error {
	if err := c.Send(c.Stuff(msg)); err != nil {
		return err
	}
	for range c.rcpts {
		if err := c.expect("250"); err != nil {
			return fmt.Errorf("DATA: %w", err)
		}
	}
	return nil
}

// Stuff returns msg as it goes over the wire: with CRLF at the end of each line, byte-stuffed (RFC 5321 §4.5.2), and with
// the line that ends it. It is good until the next call.
func (c *Conn) Stuff(msg []byte) []byte {
	c.out = c.out[:0]
	for line := range bytes.Lines(msg) {
		if line[0] == '.' {
			c.out = append(c.out, '.')
		}
		c.out = append(c.out, bytes.TrimRight(line, "\r\n")...)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(c.out, ".\r\n"...)
	return c.out
}

// Send sends octets as they are, for a message that is to be cut off: those that Stuff returned, or a part of them.
func (c *Conn) Send(wire []byte) error {
	if err := c.nc.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(wire)
	return err
}

// expect reads one reply, however many lines it has.
func (c *Conn) expect(code string) error {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, code) || len(line) < 5 {
			return fmt.Errorf("expected %s, got %q", code, line)
		}
		if line[3] == ' ' {
			return nil
		}
	}
}
