package pop3server

import (
	"fmt"
	"strconv"

	"github.com/postamt/postamt/pop3"
)

var cmdUIDL = command{verb: "UIDL", in: inTrans, args: true, run: (*Conn).doUIDL}

// maxUnique is the room for one unique-id listing.
const maxUnique = 20 + pop3.MaxUID + len("\r\n")

// doUIDL answers with one unique-id listing or all of them.
func (c *Conn) doUIDL(arg []byte) error {
	if arg != nil {
		i, err := c.drop.message(arg)
		if err != nil {
			return err
		}
		b, err := c.drop.appendUnique(append(c.w.Reserve(pop3.MaxStatus), "+OK "...), i)
		if err != nil {
			return &pop3.Error{Code: pop3.CodeSysPerm, Text: "the message has no valid unique-id", Err: err}
		}
		c.w.Commit(b)
		return nil
	}
	c.w.OK("unique-id listing follows")
	for i := 0; i < c.drop.n; {
		var err error
		b := c.w.Reserve(maxUnique)
		for ; i < c.drop.n && cap(b)-len(b) >= maxUnique; i++ {
			if c.drop.deleted.has(i) {
				continue
			}
			if b, err = c.drop.appendUnique(b, i); err != nil {
				return end(ReasonFault, err)
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

// appendUnique appends the unique-id listing of message i with its line end. What a backend gives is looked at before
// it goes out (RFC 1939 §7).
func (d *drop) appendUnique(b []byte, i int) ([]byte, error) {
	b = append(strconv.AppendInt(b, int64(i)+1, 10), ' ')
	at := len(b)
	b = d.list.AppendUID(b, i)
	if !pop3.ValidUID(b[at:]) {
		return nil, fmt.Errorf("pop3server: unique-id of message %d is not 1 to 70 octets of visible ASCII: %.80q", i+1, b[at:])
	}
	return append(b, '\r', '\n'), nil
}
