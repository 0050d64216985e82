package lmtpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/postamt/postamt/internal/mailstore"
)

func (c *conn) data(arg string) {
	switch {
	case arg != "":
		c.badCommand(reply{501, "5.5.4", "DATA has no argument"})
		return
	case c.env == nil || len(c.env.recipients) == 0:
		c.badCommand(reply{503, "5.5.1", "no valid recipients"}) // RFC 2033 §4.2
		return
	}
	env := c.env
	c.env = nil
	c.setInData(true)
	defer c.setInData(false)
	c.reply(reply{354, "", "go ahead, end with <CRLF>.<CRLF>"})
	c.flush()
	if c.fault != nil {
		return
	}
	start := c.opt.Now()
	n, result, err := c.takeIn(env, start)
	if _, lost := errors.AsType[*readError](err); lost {
		c.srv.logger(c).Warn("lmtp: message cut short by the other end", "from", env.sender, "octets", n, "err", err)
		c.fault = err
		return
	}
	for _, r := range env.recipients { // one reply for each RCPT that was accepted, in order (RFC 2033 §4.2)
		c.replyFor(result, r.address)
	}
	c.flush()
	c.account(env, n, result, c.opt.Now().Sub(start), err)
}

// takeIn streams the message into the store and commits it. The reply is the same for all recipients, because a commit
// has all of them or none.
func (c *conn) takeIn(env *envelope, start time.Time) (n int64, result reply, err error) {
	in := &intake{c: c, limit: c.opt.MaxMessage}
	defer in.abort()
	beginErr := in.begin(env, start)
	n, err = copyData(in, c.r)
	if _, lost := errors.AsType[*readError](err); lost {
		return n, reply{}, err
	}
	if err == nil && beginErr == nil { // a message of no octets was never written
		err = in.commit(env)
	} else if beginErr != nil {
		err = beginErr
	}
	return n, storeReply(err, c.opt.MaxMessage), err
}

// An intake is the way of one message into the store: it is the writer of copyData.
type intake struct {
	c     *conn
	to    mailstore.Delivery
	n     int64
	limit int64
	err   error
}

func (in *intake) begin(env *envelope, at time.Time) error {
	ctx, cancel := context.WithTimeout(in.c.srv.ctx, in.c.opt.StoreTimeout)
	defer cancel()
	in.to, in.err = in.c.opt.Store.Begin(ctx, mailstore.Envelope{Sender: env.sender, Received: at})
	if in.err == nil && in.c.opt.Trace {
		_, in.err = in.to.Write(traceLines(in.c.opt.Hostname, in.c.helo, in.c.peer(), env, at))
	}
	return in.err
}

func (in *intake) Write(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	if in.n += int64(len(p)); in.n > in.limit {
		in.err = mailstore.ErrTooLarge
		in.abort() // give the disk back before the rest has come in
		return 0, in.err
	}
	return in.to.Write(p)
}

func (in *intake) commit(env *envelope) error {
	ctx, cancel := context.WithTimeout(in.c.srv.ctx, in.c.opt.StoreTimeout)
	defer cancel()
	_, err := in.to.Commit(ctx, oneForEachDrop(env.recipients))
	return err
}

func (in *intake) abort() {
	if in.to != nil {
		in.to.Abort()
	}
}

// oneForEachDrop leaves out recipients whose maildrop is there already.
func oneForEachDrop(recipients []recipient) []mailstore.Recipient {
	seen := make(map[mailstore.DropID]bool, len(recipients))
	to := make([]mailstore.Recipient, 0, len(recipients))
	for _, r := range recipients {
		if !seen[r.drop] {
			seen[r.drop] = true
			to = append(to, mailstore.Recipient{Drop: r.drop, Address: r.address})
		}
	}
	return to
}

// account writes the one log line of a transaction and tells the observer.
func (c *conn) account(env *envelope, octets int64, result reply, took time.Duration, err error) {
	to := make([]string, 0, len(env.recipients)+len(env.refused))
	for _, r := range env.recipients {
		to = append(to, fmt.Sprintf("%s=%d", r.address, result.code))
	}
	to = append(to, env.refused...)
	level, attrs := slog.LevelInfo, []any{
		"helo", c.helo, "from", env.sender, "to", to, "octets", octets, "took", took,
	}
	if err != nil {
		level, attrs = slog.LevelWarn, append(attrs, "err", err)
	}
	c.srv.logger(c).Log(c.srv.ctx, level, "mail in", attrs...)
	if c.opt.Observe == nil {
		return
	}
	c.opt.Observe(Transaction{Recipients: len(env.recipients), Result: result.code, Octets: octets, Duration: took})
}
