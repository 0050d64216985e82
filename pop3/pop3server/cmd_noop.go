package pop3server

var cmdNoop = command{verb: "NOOP", in: inTrans, run: (*Conn).doNoop}

// doNoop answers. There is always text after +OK: two old clients failed without it (RFC 1957).
func (c *Conn) doNoop([]byte) error {
	c.w.OK("nothing done")
	return nil
}
