package pop3server

var cmdPass = command{verb: "PASS", in: inAuth, args: true, deep: true, run: (*Conn).doPass}

// mechPass is what Identity.Mech and the hooks call USER and PASS.
const mechPass = "PASS"

var errNoUser = misuse("send USER first")

// doPass checks a password. It has one argument, whose spaces belong to it (RFC 1939 §7), and comes right after USER.
func (c *Conn) doPass(arg []byte) error {
	user := c.given
	switch {
	case c.auth.Password == nil:
		return errUnknown
	case !c.plaintextAllowed():
		return errNoTLS
	case user == "":
		return errNoUser
	case len(arg) == 0:
		return errSyntax
	}
	ctx, cancel := c.backend()
	id, err := c.auth.Password(ctx, mechPass, "", user, string(arg))
	cancel()
	return c.signIn(mechPass, user, id, err)
}
