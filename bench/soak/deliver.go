package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/postamt/postamt/bench/internal/mailgen"
)

// maxMessage keeps the disk from being the subject.
const maxMessage = 256 << 10

// deliver hands mail in over LMTP until ctx ends: mostly whole, now and then cut in the middle, or after the last octet.
func (s *soak) deliver(ctx context.Context, worker int) {
	g := mailgen.New(s.seed, uint64(worker))
	for ctx.Err() == nil {
		s.try("deliver", func() error { return s.deliverSome(ctx, g) })
	}
}

// deliverSome is one connection with a few messages.
func (s *soak) deliverSome(ctx context.Context, g *mailgen.Gen) error {
	c, err := s.dialLMTP()
	if err != nil {
		return err
	}
	defer c.nc.Close()
	for range 1 + rand.IntN(20) {
		msg := g.Message(0, min(g.MixSize(), maxMessage))
		b := s.boxes[rand.IntN(len(s.boxes))]
		switch rand.IntN(40) {
		case 0:
			return c.cutInside(b, msg)
		case 1:
			return c.cutAfter(b, msg)
		}
		if err := c.deliver(b, msg); err != nil {
			return err
		}
		s.count.sent.Add(1)
		if !pause(ctx, s.think(40*time.Millisecond)) {
			break
		}
	}
	return c.cmd("221", "QUIT")
}

type lmtpConn struct {
	nc net.Conn
	r  *bufio.Reader
}

func (s *soak) dialLMTP() (*lmtpConn, error) {
	nc, err := net.DialTimeout("tcp", s.d.lmtp, sessionTime)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(sessionTime))
	c := &lmtpConn{nc: nc, r: bufio.NewReader(nc)}
	if err := c.expect("220"); err != nil {
		return nil, err
	}
	return c, c.cmd("250", "LHLO soak.example.org")
}

// begin goes on until the message may be sent.
func (c *lmtpConn) begin(b *box) error {
	if err := c.cmd("250", "MAIL FROM:<sender@example.org>"); err != nil {
		return err
	}
	if err := c.cmd("250", "RCPT TO:<"+b.user+">"); err != nil {
		return err
	}
	return c.cmd("354", "DATA")
}

func (c *lmtpConn) deliver(b *box, msg []byte) error {
	if err := c.begin(b); err != nil {
		return err
	}
	id, whole := b.post(msg)
	if _, err := c.nc.Write(stuff(whole)); err != nil {
		b.posted(id, doubtful)
		return err
	}
	if err := c.expect("250"); err != nil {
		b.posted(id, doubtful)
		return fmt.Errorf("DATA: %w", err)
	}
	b.posted(id, there)
	return nil
}

// cutInside closes the connection before the message is whole: it must never be seen.
func (c *lmtpConn) cutInside(b *box, msg []byte) error {
	if err := c.begin(b); err != nil {
		return err
	}
	id, whole := b.post(msg)
	wire := stuff(whole)
	_, err := c.nc.Write(wire[:rand.IntN(len(wire)-len(".\r\n"))])
	b.unsent(id)
	return err
}

// cutAfter closes the connection before the reply: nobody knows.
func (c *lmtpConn) cutAfter(b *box, msg []byte) error {
	if err := c.begin(b); err != nil {
		return err
	}
	id, whole := b.post(msg)
	_, err := c.nc.Write(stuff(whole))
	b.posted(id, doubtful)
	return err
}

func (c *lmtpConn) cmd(code, line string) error {
	if _, err := fmt.Fprintf(c.nc, "%s\r\n", line); err != nil {
		return err
	}
	if err := c.expect(code); err != nil {
		return fmt.Errorf("%.4s: %w", line, err)
	}
	return nil
}

// expect reads one reply, however many lines it has.
func (c *lmtpConn) expect(code string) error {
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

// stuff returns msg byte-stuffed and with the terminating line.
func stuff(msg []byte) []byte {
	out := bytes.ReplaceAll(msg, []byte("\n."), []byte("\n.."))
	return append(out, ".\r\n"...) // our first line begins with X
}
