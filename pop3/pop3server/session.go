package pop3server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// run serves the connection until it falls asleep, which it reports, or to its end. Then it puts everything back, also if a
// backend ends the goroutine.
func (c *Conn) run() (asleep bool) {
	why := end(ReasonPanic, errNoEnd)
	defer func() {
		if why != nil {
			c.ended(why)
		}
	}()
	why = c.session()
	return why == nil
}

// ended puts everything back.
func (c *Conn) ended(why *endError) {
	c.release()
	c.hangup(why)
	c.cancel()
	c.s.forget(c)

	c.sum.Reason, c.sum.Err = why.reason, why.err
	c.sum.OctetsIn, c.sum.OctetsOut = c.in.n, c.out.n
	c.sum.Duration = time.Since(c.started)
	c.logEnd()
	if h := c.s.opt.Hooks.ConnClose; h != nil {
		h(c, c.sum)
	}
}

// session runs the protocol. It returns nil when the session falls asleep. A panic, of ours or of the backend, costs this
// connection and no other.
func (c *Conn) session() (why *endError) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			if d, ok := p.(*deepPanic); ok {
				p, stack = d.value, d.stack
			}
			c.s.opt.Logger.Error("panic in a POP3 session", "conn", c.ID(), "panic", fmt.Sprint(p), "stack", string(stack))
			why = end(ReasonPanic, fmt.Errorf("panic: %v", p))
		}
	}()
	var err error
	if !c.slept {
		err = c.open()
	}
	for err == nil {
		err = c.next()
	}
	if err == errAsleep {
		return nil
	}
	if !errors.As(err, &why) {
		why = end(ReasonFault, err)
	}
	return why
}

// open gets the connection to the point where the client may speak.
func (c *Conn) open() error {
	if h := c.s.opt.Hooks.ConnOpen; h != nil {
		h(c)
	}
	if err := c.peers.watch(c.nc); err != nil {
		return end(ReasonClosed, err)
	}
	if c.implicitTLS {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	c.auth = c.s.opt.Backend.Auth(c)
	c.greet()
	return nil
}

// greet sends the greeting. Its timestamp is what tells clients that there is APOP (RFC 1939 §7).
func (c *Conn) greet() {
	text := c.s.opt.Greeting
	if c.s.opt.APOP && c.auth.Secret != nil && (c.secure() || !c.s.opt.RequireTLS) {
		c.apop = sasl.NewChallenge(c.s.opt.Hostname)
		room := wire.MaxStatus - len("+OK  \r\n") - len(c.apop)
		text = text[:min(len(text), max(room, 0))] + " " + c.apop
	}
	c.w.OK(text)
}

// next reads one command and does it. An error ends the session.
func (c *Conn) next() error {
	limit := pop3.MaxCommand
	if !c.signedIn() {
		// The initial response of AUTH may be longer than a command (RFC 5034 §4 forbids it, clients do it).
		limit = max(limit, c.s.opt.SASLLineLimit)
	}
	line, err := c.readCommand(limit)
	if err == errAsleep {
		return err
	}
	if err != nil {
		c.name = "" // as if the line had been a command
		return c.settle(err)
	}
	c.sum.Commands++
	hook := c.s.opt.Hooks.Command
	if hook == nil {
		_, err := c.do(line)
		return c.settle(err)
	}
	began := time.Now()
	cmd, err := c.do(line)
	ended := c.settle(err)
	var why *endError
	if errors.As(err, &why) && why.reason == ReasonQuit {
		err = why.err // of the update, if it failed
	}
	hook(c, cmd.verb, time.Since(began), err)
	return ended
}

// do does a command, if it is allowed now. The name of a USER holds for the next line only (RFC 1939 §7).
func (c *Conn) do(line []byte) (*command, error) {
	c.given, c.name = c.name, ""
	cmd, arg, err := parse(line)
	switch {
	case err != nil:
		return cmd, err
	case cmd.in&(1<<c.state) == 0:
		return cmd, errWrongState
	case arg != nil && !cmd.args:
		return cmd, errNoArguments
	}
	if cmd.deep {
		return cmd, deep(func() error { return cmd.run(c, arg) })
	}
	return cmd, cmd.run(c, arg)
}

// readLine returns the next line. Before it waits it sends what was answered so far, so that answers to pipelined
// commands go out together. The error is an *endError, or a *pop3.Error to be answered.
func (c *Conn) readLine(limit int) ([]byte, error) {
	if !c.r.HasLine() {
		if err := c.flush(); err != nil {
			return nil, err
		}
		if err := c.expect(c.s.opt.IdleTimeout); err != nil {
			return nil, err
		}
	}
	return c.lineRead(c.r.ReadLine(limit))
}

// lineRead tells what the end of ReadLine means.
func (c *Conn) lineRead(line []byte, err error) ([]byte, error) {
	switch {
	case err == nil:
		return line, nil
	case errors.Is(err, wire.ErrLineTooLong):
		return nil, errLineTooLong
	case errors.Is(err, wire.ErrEndlessLine):
		return nil, &pop3.Error{Text: errLineTooLong.Text, Err: errMisused, Hangup: true}
	case errors.Is(err, errTooMuch):
		return nil, &pop3.Error{Text: "too much data before sign-in", Err: errMisused, Hangup: true}
	case c.isDraining():
		return nil, end(ReasonShutdown, nil)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, end(ReasonIdle, nil)
	case errors.Is(err, io.EOF):
		return nil, end(ReasonClosed, nil)
	}
	return nil, end(ReasonClosed, err)
}

// flush sends what was answered so far.
func (c *Conn) flush() error {
	err := c.w.Flush()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return end(ReasonStalled, err)
	}
	return end(ReasonClosed, err)
}

// hangup sends what is left and closes the connection. After an autologout nothing is left (RFC 1939 §3), and what is
// left of a message that broke off has no terminating line.
func (c *Conn) hangup(why *endError) {
	_ = c.w.Flush()
	if c.tls != nil {
		_ = c.tls.CloseWrite() // close_notify (RFC 8314 §3.4)
	}
	if why.reason == ReasonAbuse || why.reason == ReasonRefused || why.reason == ReasonQuit && c.r.Buffered() > 0 {
		c.linger()
	}
	_ = c.nc.Close()
}

// logEnd writes the one line that stays of a session.
func (c *Conn) logEnd() {
	s := &c.sum
	level := slog.LevelInfo
	if s.Reason == ReasonFault || s.Reason == ReasonPanic {
		level = slog.LevelError
	}
	const most = 17 // attributes
	attrs := append(make([]slog.Attr, 0, most),
		slog.String("conn", c.ID()),
		slog.String("reason", string(s.Reason)),
		slog.Duration("duration", s.Duration),
		slog.Int("commands", s.Commands),
		slog.Int64("in", s.OctetsIn),
		slog.Int64("out", s.OctetsOut),
	)
	if c.remote.IsValid() {
		attrs = append(attrs, slog.String("remote", c.remote.String()))
	}
	if s.TLSVersion != "" {
		attrs = append(attrs, slog.String("tls", s.TLSVersion), slog.String("cipher", s.TLSCipher))
	}
	if s.User != "" {
		attrs = append(attrs, slog.String("user", s.User), slog.String("mech", s.Mech), slog.Int("messages", s.Messages),
			slog.Int("retr", s.Retr), slog.Int("top", s.Top), slog.Int("deleted", s.Deleted), slog.Int("removed", s.Removed))
	}
	if s.Err != nil {
		attrs = append(attrs, slog.String("err", s.Err.Error()))
	}
	c.s.opt.Logger.LogAttrs(c.ctx, level, "POP3 session ended", attrs...)
}
