package pop3server

import "github.com/postamt/postamt/pop3"

var cmdStls = command{verb: "STLS", in: inAuth, run: (*Conn).doStls}

var (
	errNoStls    = &pop3.Error{Text: "STLS is not offered"}
	errStlsTwice = misuse("TLS is active already")
)

// stlsOffered reports whether STLS would be accepted now.
func (c *Conn) stlsOffered() bool {
	return !c.signedIn() && !c.secure() && c.s.tls != nil
}

// doStls is RFC 2595 §4. Nothing of what the client said before holds afterwards.
func (c *Conn) doStls([]byte) error {
	switch {
	case c.secure():
		return errStlsTwice
	case !c.stlsOffered():
		return errNoStls
	}
	c.w.OK("begin TLS handshake")
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.startTLS(); err != nil {
		return err
	}
	c.name, c.given, c.apop = "", "", ""
	c.auth = c.s.opt.Backend.Auth(c)
	return nil
}
