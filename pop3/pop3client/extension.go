package pop3client

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/postamt/postamt/pop3"
)

// Extension sends a command that this package does not know, such as XTND or *ENV, when the iteration begins, and yields
// the lines of its multi-line response in the manner of List. The command is sent as it is, in one line of at most 255
// octets of ASCII; lines come without CRLF and without the dot that was stuffed in. Commands whose answer is one line, or
// that change what the session is, cannot be sent with it.
func (c *Client) Extension(ctx context.Context, command string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := c.checkExtension(command); err != nil {
			yield("", err)
			return
		}
		l := listing{c: c}
		defer l.close()
		for line := range l.lines(ctx, command) {
			l.inside = true
			more := yield(string(line), nil)
			if l.inside = false; !more {
				return
			}
		}
		if l.err != nil {
			yield("", l.err)
		}
	}
}

func (c *Client) checkExtension(command string) error {
	if command == "" || command[0] == ' ' || len(command)+2 > pop3.MaxCommand ||
		strings.ContainsFunc(command, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("pop3client: %w: the command is not one line of at most %d octets of ASCII", ErrArgument, pop3.MaxCommand-2)
	}
	return nil
}
