package pop3server

import "github.com/postamt/postamt/pop3"

var cmdRset = command{verb: "RSET", in: inTrans, run: (*Conn).doRset}

// doRset takes all marks off.
func (c *Conn) doRset([]byte) error {
	d := &c.drop
	d.deleted.clear()
	d.deletedOctets, d.last = 0, 0
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK maildrop has "...)
	c.w.Commit(append(d.appendDrop(b), '\r', '\n'))
	return nil
}
