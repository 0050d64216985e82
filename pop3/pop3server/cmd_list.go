package pop3server

import (
	"strconv"

	"github.com/postamt/postamt/pop3"
)

var cmdList = command{verb: "LIST", in: inTrans, args: true, run: (*Conn).doList}

// maxScan is the room for one scan listing: two numbers of 19 digits, a space and a line end.
const maxScan = 64

// doList answers with one scan listing or all of them.
func (c *Conn) doList(arg []byte) error {
	if arg != nil {
		i, err := c.drop.message(arg)
		if err != nil {
			return err
		}
		c.w.Commit(c.drop.appendScan(append(c.w.Reserve(pop3.MaxStatus), "+OK "...), i))
		return nil
	}
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK "...)
	b = c.drop.appendDrop(b)
	c.w.Commit(append(b, '\r', '\n'))
	for i := 0; i < c.drop.n; {
		b := c.w.Reserve(maxScan)
		for ; i < c.drop.n && cap(b)-len(b) >= maxScan; i++ {
			if !c.drop.deleted.has(i) {
				b = c.drop.appendScan(b, i)
			}
		}
		c.w.Commit(b)
		if c.w.Err() != nil {
			return c.flush()
		}
	}
	c.w.End()
	return nil
}

// appendScan appends the scan listing of message i with its line end.
func (d *drop) appendScan(b []byte, i int) []byte {
	b = append(strconv.AppendInt(b, int64(i)+1, 10), ' ')
	b = strconv.AppendInt(b, d.list.Size(i), 10)
	return append(b, '\r', '\n')
}
