package pop3server

import (
	"strconv"

	"github.com/postamt/postamt/pop3"
)

var cmdStat = command{verb: "STAT", in: inTrans, run: (*Conn).doStat}

// doStat answers with the drop listing and nothing more on the line (RFC 1939 §5).
func (c *Conn) doStat([]byte) error {
	n, octets := c.drop.left()
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK "...)
	b = append(strconv.AppendInt(b, int64(n), 10), ' ')
	b = strconv.AppendInt(b, octets, 10)
	c.w.Commit(append(b, '\r', '\n'))
	return nil
}
