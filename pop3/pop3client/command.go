package pop3client

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postamt/postamt/pop3"
)

// compose adds a command with numbers to what flush will send.
func (c *Client) compose(verb string, nums ...int) {
	start := len(c.out)
	c.out = append(c.out, verb...)
	for _, n := range nums {
		c.out = append(c.out, ' ')
		c.out = strconv.AppendInt(c.out, int64(n), 10)
	}
	if c.opt.Trace != nil {
		c.opt.Trace(true, string(c.out[start:]))
	}
	c.out = append(c.out, '\r', '\n')
}

// composeLine adds a line with text in it, of which shown is what may be traced.
func (c *Client) composeLine(line, shown string) {
	if c.opt.Trace != nil {
		c.opt.Trace(true, shown)
	}
	c.out = append(append(c.out, line...), '\r', '\n')
}

// flush sends what was composed.
func (c *Client) flush() error {
	_, err := c.conn.Write(c.out)
	clear(c.out) // there may have been a password in it
	c.out = c.out[:0]
	if err != nil {
		return c.fail(err)
	}
	return nil
}

// checkArgument makes sure that s can be the argument of a command: CR, LF and NUL would make more commands of it, and
// outside ASCII nothing is defined without UTF8 mode (RFC 1939 §3, RFC 6856 §2.2).
func (c *Client) checkArgument(verb, what, s string) error {
	bad := func(why string) error {
		return fmt.Errorf("pop3client: %s: %w: %s %s", verb, ErrArgument, what, why)
	}
	switch {
	case s == "":
		return bad("is empty")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return bad("has control characters in it")
	case strings.ContainsFunc(s, func(r rune) bool { return r > 0x7F }):
		return bad("has characters outside ASCII in it, which need a SASL mechanism")
	case len(verb)+1+len(s)+2 > pop3.MaxCommand:
		return bad("is too long for a command of " + strconv.Itoa(pop3.MaxCommand) + " octets")
	case c.noCapa && !c.opt.LongArguments && len(s) > pop3.MaxArgument:
		return bad("has more than " + strconv.Itoa(pop3.MaxArgument) + " octets, too many for a server without CAPA")
	}
	return nil
}
