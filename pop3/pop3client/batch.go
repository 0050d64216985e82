package pop3client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/postamt/postamt/pop3"
)

// A Verb is a command that a Batch can send.
type Verb uint8

const (
	// RETR gives the whole message.
	RETR Verb = iota
	// TOP gives the header and some lines of the body.
	TOP
	// DELE marks the message as deleted.
	DELE
)

// String returns the keyword.
func (v Verb) String() string {
	switch v {
	case RETR:
		return "RETR"
	case TOP:
		return "TOP"
	case DELE:
		return "DELE"
	}
	return "INVALID"
}

// An Op is one command of a Batch.
type Op struct {
	Verb Verb
	// Num is the message-number.
	Num int
	// Lines is the number of body lines for TOP.
	Lines int
	// Size is the message's size in octets as the scan listing gives it, 0 if it is not known. With it Batch finds how many
	// commands to send ahead.
	Size int64
}

// A Result is the answer to one Op.
type Result struct {
	Op Op
	// Message is the body for RETR and TOP. It is closed when the loop goes on.
	Message *Message
}

// Bounds of a Batch.
const (
	// MaxWindow is how many commands a Batch has under way at most. So many commands always fit into the send buffer of a
	// connection: a client that blocks in writing while the server does the same would wait forever (RFC 2449 §6.6).
	MaxWindow = 100
	// MaxAhead is how many octets of responses a Batch asks for ahead, but for one message.
	MaxAhead = 1 << 20
	// unknownSize is what a response counts for that may have any size.
	unknownSize = 64 << 10
)

// Batch sends the commands of ops and yields their answers in the same order. If the server announces PIPELINING, it sends
// up to MaxWindow commands ahead, few where messages are big, so that draining a maildrop does not wait for a round trip
// per message; else it sends them one by one.
//
// ops is asked for more while the batch is under way, from the same goroutine and between turns of the loop, so it can
// yield DELE for messages that the loop has finished. A refused command yields a *pop3.Error, and the batch goes on; any
// other error is the last thing yielded. The session is busy until the loop ends. When the loop ends early, the answers to
// what was sent are skipped, see Options.MaxDrain; deletion marks that were sent stay until Rset.
func (c *Client) Batch(ctx context.Context, ops iter.Seq[Op]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		b, err := c.newBatch(ctx)
		if err != nil {
			yield(Result{}, err)
			return
		}
		next, stop := iter.Pull(ops)
		defer stop()
		defer b.close()
		for b.fill(next) {
			r, err := b.answer()
			b.inside = true
			more := yield(r, err)
			b.inside = false
			if !more || c.err != nil {
				return
			}
			if r.Message == nil {
				continue
			}
			if err := r.Message.Close(); err != nil {
				yield(Result{Op: r.Op}, err)
				return
			}
		}
		if b.err != nil {
			yield(Result{}, b.err)
		}
	}
}

// batch is a Batch under way.
type batch struct {
	c      *Client
	window int        // 1 without PIPELINING
	queue  []queued   // what was sent and not answered, in order
	ahead  int64      // octets that the queue will bring
	over   bool       // ops has ended
	inside bool       // in the loop's body: at close that means a panic
	err    error      // what ended the batch outside of an answer
	body   *Message   // the body that was handed out last
	buf    [16]queued // room for a first queue
}

type queued struct {
	op  Op
	err error // why it was not sent
}

func (c *Client) newBatch(ctx context.Context) (*batch, error) {
	b := &batch{c: c, window: 1}
	b.queue = b.buf[:0]
	capa, err := c.capabilities(ctx)
	if err != nil {
		return nil, err
	}
	if capa.Has(pop3.CapPipelining) && !c.opt.NoPipelining {
		b.window = MaxWindow
	}
	if err := c.begin(ctx, "batch"); err != nil {
		return nil, err
	}
	c.batch = true
	return b, nil
}

// fill sends commands until the window is full, once half of it is free. It reports whether there is an answer to come.
func (b *batch) fill(next func() (Op, bool)) bool {
	if len(b.queue) <= b.window/2 && (b.ahead <= MaxAhead/2 || len(b.queue) < 2) {
		for !b.over && len(b.queue) < b.window && (b.ahead < MaxAhead || len(b.queue) < min(2, b.window)) {
			b.inside = true
			op, ok := next()
			b.inside = false
			if !ok {
				b.over = true
				break
			}
			b.push(op)
		}
	}
	if len(b.c.out) > 0 {
		b.c.op = "batch"
		b.c.conn.renew(b.c.opt.Timeout)
		if err := b.c.flush(); err != nil {
			b.err = err
			return false
		}
	}
	return len(b.queue) > 0
}

func (b *batch) push(op Op) {
	q := queued{op: op, err: op.check()}
	if q.err == nil {
		if op.Verb == TOP {
			b.c.compose("TOP", op.Num, op.Lines)
		} else {
			b.c.compose(op.Verb.String(), op.Num)
		}
		b.ahead += op.octets()
	}
	b.queue = append(b.queue, q)
}

// pop takes the oldest command off the queue.
func (b *batch) pop() queued {
	q := b.queue[0]
	b.queue = b.queue[:copy(b.queue, b.queue[1:])]
	if q.err == nil {
		b.ahead -= q.op.octets()
	}
	return q
}

// octets is what the answer to op counts for in the window.
func (op Op) octets() int64 {
	switch {
	case op.Verb == DELE:
		return 64
	case op.Size > 0:
		return min(op.Size, 1<<40)
	}
	return unknownSize
}

func (op Op) check() error {
	switch {
	case op.Verb > DELE:
		return fmt.Errorf("pop3client: batch: %w: no such verb", ErrArgument)
	case op.Lines < 0:
		return fmt.Errorf("pop3client: %s: %w: %d lines", op.Verb, ErrArgument, op.Lines)
	}
	return checkNum(op.Verb.String(), op.Num)
}

// answer reads the answer to the oldest command.
func (b *batch) answer() (Result, error) {
	q := b.pop()
	r := Result{Op: q.op}
	if q.err != nil {
		return r, q.err
	}
	b.c.op = q.op.Verb.String()
	b.c.conn.renew(b.c.opt.Timeout)
	text, err := b.c.status()
	if err != nil || q.op.Verb == DELE {
		return r, err
	}
	size := int64(-1)
	if q.op.Verb == RETR {
		size = declaredSize(text)
	}
	r.Message = b.c.message(q.op.Num, size)
	b.body = r.Message
	return r, nil
}

// close ends the batch: it skips the answers to what was sent already.
func (b *batch) close() {
	c := b.c
	if c.err != nil {
		return
	}
	if b.inside || c.opt.MaxDrain >= 0 && b.ahead > c.opt.MaxDrain {
		c.fail(ErrAbandoned)
		return
	}
	drain := drainer{left: c.opt.MaxDrain}
	for body := b.body; ; {
		if body != nil && !body.dot.Ended() {
			if _, err := body.dot.WriteTo(&drain); err != nil {
				c.fail(err)
				return
			}
		}
		if body != nil && body.err == nil {
			body.err = errClosedMessage
		}
		if len(b.queue) == 0 {
			break
		}
		r, err := b.answer()
		var refused *pop3.Error
		if err != nil && !errors.As(err, &refused) && !errors.Is(err, ErrArgument) {
			return
		}
		body = r.Message
	}
	c.batch = false
	c.end()
}

var _ io.WriterTo = (*Message)(nil)
