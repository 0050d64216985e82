package pop3client

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/pop3"
)

// Stat returns the number of messages that are not marked as deleted and the sum of their octets, -1 if the server sent a
// sum that is no number of octets. Servers are known to be wrong about both.
func (c *Client) Stat(ctx context.Context) (count int, octets int64, err error) {
	text, err := c.command(ctx, "STAT")
	if err != nil {
		return 0, 0, err
	}
	n, rest, ok := cutNumber(text)
	if !ok || n < 0 || n > pop3.MaxNum {
		return 0, 0, c.protocolError(text, errNoNumbers)
	}
	octets, _, ok = cutNumber(rest)
	if !ok {
		return 0, 0, c.protocolError(text, errNoNumbers)
	}
	c.end()
	return int(n), octets, nil
}

// Dele marks message num as deleted. It goes away when Quit succeeds, and only then.
func (c *Client) Dele(ctx context.Context, num int) error {
	if err := checkNum("DELE", num); err != nil {
		return err
	}
	return c.simple(ctx, "DELE", num)
}

// Rset takes all deletion marks back.
func (c *Client) Rset(ctx context.Context) error { return c.simple(ctx, "RSET") }

// Noop does nothing but show the server that the client is there. Servers may hang up after 10 minutes without a command
// (RFC 1939 §3), and many do after 1.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// Quit ends the session. After sign-in it makes the server remove the messages that are marked as deleted: if it returns
// nil, that is done. A *pop3.Error says that the server did not remove all of them; after any other error that
// came once QUIT was sent nobody knows. Then the session is over and the connection closed.
func (c *Client) Quit(ctx context.Context) error {
	if err := c.begin(ctx, "QUIT"); err != nil {
		return err
	}
	c.conn.renew(c.opt.QuitTimeout)
	c.compose("QUIT")
	if err := c.flush(); err != nil {
		return err
	}
	_, err := c.status()
	if err == nil {
		c.end() // even if ctx ended just now: the server has confirmed
	}
	if c.err == nil {
		c.err = errQuit
	}
	if c.tls != nil && err == nil {
		_ = c.conn.Conn.Close() // with close_notify, which bounds its own time; how it ends makes no difference any more
	}
	c.Close()
	return err
}

const errQuit reason = "QUIT was sent"

func checkNum(verb string, num int) error {
	if num < 1 || num > pop3.MaxNum {
		return fmt.Errorf("pop3client: %s: %w: %d is no message-number", verb, ErrArgument, num)
	}
	return nil
}
