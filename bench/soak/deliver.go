package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/postamt/postamt/bench/internal/lmtp"
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
	c, err := lmtp.Dial(s.d.lmtp, sessionTime)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 1 + rand.IntN(20) {
		msg := g.Message(0, min(g.MixSize(), maxMessage))
		b := s.boxes[rand.IntN(len(s.boxes))]
		switch rand.IntN(40) {
		case 0:
			return cutInside(c, b, msg)
		case 1:
			return cutAfter(c, b, msg)
		}
		if err := deliver(c, b, msg); err != nil {
			return err
		}
		s.count.sent.Add(1)
		if !pause(ctx, s.think(40*time.Millisecond)) {
			break
		}
	}
	return c.Quit()
}

func deliver(c *lmtp.Conn, b *box, msg []byte) error {
	if err := c.Begin(b.user); err != nil {
		return err
	}
	id, whole := b.post(msg)
	if err := c.Message(whole); err != nil {
		b.posted(id, doubtful)
		return err
	}
	b.posted(id, there)
	return nil
}

// cutInside closes the connection before the message is whole: it must never be seen.
func cutInside(c *lmtp.Conn, b *box, msg []byte) error {
	if err := c.Begin(b.user); err != nil {
		return err
	}
	id, whole := b.post(msg)
	wire := c.Stuff(whole)
	err := c.Send(wire[:rand.IntN(len(wire)-len(".\r\n"))])
	b.unsent(id)
	return err
}

// cutAfter closes the connection before the reply: nobody knows.
func cutAfter(c *lmtp.Conn, b *box, msg []byte) error {
	if err := c.Begin(b.user); err != nil {
		return err
	}
	id, whole := b.post(msg)
	err := c.Send(c.Stuff(whole))
	b.posted(id, doubtful)
	return err
}
