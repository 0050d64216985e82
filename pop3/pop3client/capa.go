package pop3client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
)

// ErrNoCapa: the server does not know CAPA. That is no fault: RFC 1939 has no such command.
var ErrNoCapa = errors.New("the server does not know CAPA")

// Capa returns what the server announces in the present state: it asks once, and again after STLS and after signing in,
// when the list may be another one. Lines that are no capability are left out. The list belongs to the caller.
//
// For a server that answers CAPA with -ERR it returns ErrNoCapa.
func (c *Client) Capa(ctx context.Context) (pop3.Capabilities, error) {
	capa, err := c.capabilities(ctx)
	if err == nil && c.noCapa {
		err = fmt.Errorf("pop3client: CAPA: %w", ErrNoCapa)
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(capa), nil
}

// capabilities is Capa for this package: without a copy, and without an error for a server that does not know CAPA.
func (c *Client) capabilities(ctx context.Context) (pop3.Capabilities, error) {
	if c.capa == nil && !c.noCapa {
		if err := c.askCapa(ctx); err != nil {
			return nil, err
		}
	}
	return c.capa, nil
}

func (c *Client) askCapa(ctx context.Context) error {
	_, err := c.command(ctx, "CAPA")
	var refused *pop3.Error
	switch {
	case errors.As(err, &refused) && pop3.IsTemporary(err):
		return err // to be asked again
	case errors.As(err, &refused):
		c.noCapa = true
		return nil
	case err != nil:
		return err
	}
	list := pop3.Capabilities{}
	for octets := 0; ; {
		line, err := c.r.ReadLine(c.opt.MaxLine)
		if err != nil {
			return c.fail(err)
		}
		if string(line) == "." {
			break
		}
		if octets += len(line) + 2; octets > maxCapa {
			return c.fail(wire.ErrTooLong)
		}
		if one, err := pop3.ParseCapability(string(unstuff(line))); err == nil {
			list = append(list, one)
		}
	}
	c.end()
	c.capa = list
	return nil
}

// forgetCapa makes Capa ask again.
func (c *Client) forgetCapa() {
	c.capa = nil
	c.noCapa = false
}

// unstuff takes the byte-stuffing off a line (RFC 1939 §3).
func unstuff(line []byte) []byte {
	if len(line) > 1 && line[0] == '.' {
		return line[1:]
	}
	return line
}
