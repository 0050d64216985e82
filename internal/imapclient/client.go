package imapclient

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
	library "github.com/emersion/go-imap/v2/imapclient"
)

// A Client is a connection that is signed in. It is used by one goroutine. When the context of a call ends, so does the
// connection.
type Client struct {
	guard   *guard
	library *library.Client
	caps    []string
	news    chan struct{} // something was said about the size of the folder
	batch   *batch        // messages that were asked for and not handed out yet
}

// Has reports whether the server offers a capability, by its name in upper case.
func (c *Client) Has(name string) bool { return hasCap(c.caps, name) }

// heard is told by the library when the number of messages changes.
func (c *Client) heard(data *library.UnilateralDataMailbox) {
	if data.NumMessages == nil {
		return
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// begin says that something is asked of the server. The caller calls end when it has been answered.
func (c *Client) begin(ctx context.Context) (end func(), err error) {
	if err := context.Cause(ctx); err != nil {
		c.guard.fail(err)
		return nil, err
	}
	if err := c.guard.failure(); err != nil {
		return nil, err
	}
	c.guard.arm()
	stop := context.AfterFunc(ctx, func() { c.guard.fail(context.Cause(ctx)) })
	return func() {
		stop()
		c.guard.disarm()
	}, nil
}

// wrap types an error of the library.
func (c *Client) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var refused *imap.Error
	if errors.As(err, &refused) {
		return refusal(op, refused)
	}
	if cause := c.guard.failure(); cause != nil && !errors.Is(cause, ErrClosed) {
		err = cause
	}
	c.guard.fail(err)
	return &ConnError{op, err}
}

// run asks something that has one answer.
func (c *Client) run(ctx context.Context, op string, ask func() error) error {
	if err := c.endAhead(); err != nil {
		return err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return &ConnError{op, err}
	}
	defer end()
	return c.wrap(op, ask())
}

// Noop asks whether the connection is alive.
func (c *Client) Noop(ctx context.Context) error {
	return c.run(ctx, "NOOP", func() error { return c.library.Noop().Wait() })
}

// Logout ends the session. The connection is closed whatever the server says.
func (c *Client) Logout(ctx context.Context) error {
	err := c.run(ctx, "LOGOUT", func() error { return c.library.Logout().Wait() })
	return errors.Join(err, c.Close())
}

// Close closes the connection and waits until nothing of it runs any more. It may be called again.
func (c *Client) Close() error {
	c.guard.fail(ErrClosed)
	if c.batch != nil {
		_ = c.batch.command.Close() // so that the library gets to its end
		c.batch = nil
	}
	_ = c.library.Close() // it says again why the connection ended
	return nil
}

// CheckFolder refuses with ErrFolderName what cannot be the name of a folder.
func CheckFolder(name string) error {
	if name == "" || len(name) > maxFolder || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return ErrFolderName
	}
	return nil
}
