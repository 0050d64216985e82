package pop3server

import (
	"strconv"

	"github.com/postamt/postamt/pop3"
)

var cmdDele = command{verb: "DELE", in: inTrans, args: true, run: (*Conn).doDele}

// doDele marks a message as deleted. Nothing happens to it before QUIT.
func (c *Conn) doDele(arg []byte) error {
	if arg == nil {
		return errSyntax
	}
	d := &c.drop
	i, err := d.message(arg)
	if err != nil {
		return err
	}
	d.deleted.add(i, d.n)
	d.deletedOctets += d.list.Size(i)
	d.last = max(d.last, i+1)
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK message "...)
	b = strconv.AppendInt(b, int64(i)+1, 10)
	c.w.Commit(append(b, " deleted\r\n"...))
	return nil
}
