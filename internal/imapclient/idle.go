package imapclient

import (
	"context"
	"errors"
	"time"
)

// ErrNoIdle: the server cannot tell when mail comes.
var ErrNoIdle = errors.New("the server does not offer IDLE")

// idleEnd is how long a server may take to end an IDLE, or to begin it, when the context has ended.
const idleEnd = 5 * time.Second

// Idle waits until the server says something about the number of messages in the open folder, and returns nil then. The
// command is given again every 28 minutes, because servers may hang up after 30 (RFC 2177 §3). When ctx ends, the
// connection is left in order if the server plays along within 5 seconds, and the error is that of ctx.
func (c *Client) Idle(ctx context.Context) error {
	if !c.Has("IDLE") {
		return ErrNoIdle
	}
	if err := c.endAhead(); err != nil {
		return err
	}
	select {
	case <-c.news: // of before
	default:
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	defer context.AfterFunc(ctx, func() {
		patience := time.NewTimer(idleEnd)
		defer patience.Stop()
		select {
		case <-ended:
		case <-patience.C:
			c.guard.fail(context.Cause(ctx))
		}
	})()
	end, err := c.begin(context.WithoutCancel(ctx))
	if err != nil {
		return &ConnError{"IDLE", err}
	}
	cmd, err := c.library.Idle()
	end()
	if err != nil {
		return c.wrap("IDLE", err)
	}
	var why error
	select {
	case <-c.news:
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-c.library.Closed():
	}
	c.guard.arm()
	defer c.guard.disarm()
	err = cmd.Close()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return c.wrap("IDLE", err)
	}
	return why
}
