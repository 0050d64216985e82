package pop3server

import (
	"bytes"

	"github.com/postamt/postamt/pop3"
)

var cmdTop = command{verb: "TOP", in: inTrans, args: true, run: (*Conn).doTop}

// doTop sends the header of a message, the empty line, and the first lines of its body (RFC 1939 §7).
func (c *Conn) doTop(arg []byte) error {
	num, count, ok := bytes.Cut(arg, []byte(" "))
	if !ok {
		return errSyntax
	}
	lines, ok := pop3.ParseOctets(count)
	if !ok {
		return errSyntax
	}
	d := &c.drop
	i, err := d.message(num)
	if err != nil {
		return err
	}
	body, err := d.Message(c.ctx, i)
	if err != nil {
		return err
	}
	if err := c.sendTop(body, d.list.Size(i), lines); err != nil {
		return err
	}
	c.sum.Top++
	return nil
}
