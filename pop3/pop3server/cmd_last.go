package pop3server

import (
	"strconv"

	"github.com/postamt/postamt/pop3"
)

var cmdLast = command{verb: "LAST", in: inTrans, run: (*Conn).doLast}

// doLast answers with the highest number that RETR or DELE was used with (RFC 1460 §6; gone from RFC 1725 on).
func (c *Conn) doLast([]byte) error {
	if !c.s.opt.EnableLast {
		return errUnknown
	}
	b := append(c.w.Reserve(pop3.MaxStatus), "+OK "...)
	b = strconv.AppendInt(b, int64(c.drop.last), 10)
	c.w.Commit(append(b, '\r', '\n'))
	return nil
}
