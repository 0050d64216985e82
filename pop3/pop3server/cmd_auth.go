package pop3server

import (
	"bytes"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

var cmdAuth = command{verb: "AUTH", in: inAuth, args: true, deep: true, run: (*Conn).doAuth}

var (
	errNoMechanism = misuse("unknown authentication mechanism")
	errNoInitial   = misuse("this mechanism takes no initial response")
)

// doAuth is RFC 5034 §4.
func (c *Conn) doAuth(arg []byte) error {
	if arg == nil {
		return c.listMechanisms()
	}
	name, rest, hasIR := bytes.Cut(arg, []byte(" "))
	if len(name) == 0 || len(name) > maxMechanism {
		return errNoMechanism
	}
	m, err := c.findMechanism(strings.ToUpper(string(name)))
	if err != nil {
		return err
	}
	var ir []byte
	if hasIR {
		if ir, err = sasl.DecodeInitialResponse(rest); err != nil {
			return &pop3.Error{Text: "initial response is not base64", Err: errMisused}
		}
		if !m.clientFirst {
			return errNoInitial
		}
	}
	srv, done := m.begin()
	user, id, err := done(c.exchange(srv, ir))
	return c.signIn(m.name, user, id, err)
}

// maxMechanism is the longest name that a mechanism can have (RFC 4422 §3.1).
const maxMechanism = 20

func (c *Conn) findMechanism(name string) (mechanism, error) {
	for _, m := range c.mechanisms() {
		if m.name == name {
			return m, nil
		}
	}
	if c.needsTLS(name) {
		return mechanism{}, errNoTLS
	}
	return mechanism{}, errNoMechanism
}

// listMechanisms answers AUTH without an argument, as several servers do and some clients want.
func (c *Conn) listMechanisms() error {
	if c.s.opt.HideAuthList {
		return errSyntax
	}
	c.w.OK("mechanisms follow")
	for _, m := range c.mechanisms() {
		b := append(c.w.Reserve(pop3.MaxCapability), m.name...)
		c.w.Commit(append(b, '\r', '\n'))
	}
	c.w.End()
	return nil
}
