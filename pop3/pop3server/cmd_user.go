package pop3server

import (
	"bytes"

	"github.com/postamt/postamt/pop3"
)

var cmdUser = command{verb: "USER", in: inAuth, args: true, run: (*Conn).doUser}

// errUserRefused has no response code: [AUTH] is not for USER (RFC 3206 §5).
var errUserRefused = &pop3.Error{Text: errNoTLS.Text}

// doUser notes a name. Any name is fine with it, so that nobody learns who exists (RFC 1939 §13).
func (c *Conn) doUser(arg []byte) error {
	switch {
	case c.auth.Password == nil:
		return errUnknown
	case !c.plaintextAllowed():
		return errUserRefused
	case len(arg) == 0 || bytes.IndexByte(arg, ' ') >= 0:
		return errSyntax
	}
	c.name = string(arg)
	c.w.OK("send PASS")
	return nil
}
