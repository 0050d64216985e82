package pop3server

import (
	"strconv"
)

var cmdRetr = command{verb: "RETR", in: inTrans, args: true, run: (*Conn).doRetr}

// doRetr sends a message.
func (c *Conn) doRetr(arg []byte) error {
	if arg == nil {
		return errSyntax
	}
	d := &c.drop
	i, err := d.message(arg)
	if err != nil {
		return err
	}
	body, err := d.Message(c.ctx, i)
	if err != nil {
		return err
	}
	if err := c.sendWhole(body, d.list.Size(i)); err != nil {
		return err
	}
	d.retrieved.add(i, d.n)
	d.last = max(d.last, i+1)
	c.sum.Retr++
	return nil
}

// appendRetr appends the status line of RETR.
func appendRetr(b []byte, size int64) []byte {
	b = append(b, "+OK "...)
	b = strconv.AppendInt(b, size, 10)
	return append(b, " octets\r\n"...)
}
