package pop3server

import (
	"bytes"
	"errors"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

var cmdApop = command{verb: "APOP", in: inAuth, args: true, deep: true, run: (*Conn).doApop}

const mechAPOP = "APOP"

var (
	errNoAPOP     = misuse("APOP is not offered on this connection")
	errStaleAPOP  = &pop3.Error{Text: "APOP is not allowed after STLS: its timestamp was sent in the clear"}
	errAfterUser  = misuse("APOP is not allowed after USER")
	errAPOPDigest = misuse("APOP digest must be 32 hexadecimal digits in lower case")
)

// doApop checks a digest of the greeting's timestamp and a secret.
func (c *Conn) doApop(arg []byte) error {
	switch {
	case c.apop == "" && c.secure() && !c.implicitTLS && c.s.opt.APOP:
		return errStaleAPOP
	case c.apop == "":
		return errNoAPOP
	case c.given != "":
		return errAfterUser
	}
	name, digest, ok := bytes.Cut(arg, []byte(" "))
	if !ok || len(name) == 0 {
		return errSyntax
	}
	if errors.Is(sasl.CheckAPOP("", nil, string(digest)), sasl.ErrMalformed) {
		return errAPOPDigest
	}
	user := string(name)
	ctx, cancel := c.backend()
	secret, id, err := c.auth.Secret(ctx, mechAPOP, user)
	cancel()
	// The digest is computed for an unknown user, too, so that the answer takes the same time.
	if wrong := sasl.CheckAPOP(c.apop, secret, string(digest)); err == nil {
		err = wrong
	}
	return c.signIn(mechAPOP, user, id, c.heard(mechAPOP, user, err))
}
