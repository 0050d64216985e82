package pop3server

import (
	"strings"

	"github.com/postamt/postamt/pop3"
)

var cmdCapa = command{verb: "CAPA", in: inAuth | inTrans, run: (*Conn).doCapa}

// doCapa lists what is there on this connection at this moment (RFC 2449 §5).
func (c *Conn) doCapa([]byte) error {
	c.w.OK("capability list follows")
	for _, line := range c.capabilities() {
		b := line.Append(c.w.Reserve(pop3.MaxCapability))
		c.w.Commit(append(b, '\r', '\n'))
	}
	c.w.End()
	return nil
}

func (c *Conn) capabilities() pop3.Capabilities {
	caps := append(make(pop3.Capabilities, 0, 10),
		pop3.Capability{Name: pop3.CapTop},
		pop3.Capability{Name: pop3.CapUIDL},
		pop3.Capability{Name: pop3.CapRespCodes},
		pop3.Capability{Name: pop3.CapAuthRespCode},
		pop3.Capability{Name: pop3.CapPipelining},
		pop3.Capability{Name: pop3.CapExpire, Params: []string{"NEVER"}},
	)
	// RFC 2449 §6.2, RFC 5034 §3: ways to sign in stay in the list after sign-in.
	if c.auth.Password != nil && c.plaintextAllowed() {
		caps = append(caps, pop3.Capability{Name: pop3.CapUser})
	}
	if mechs := c.mechanisms(); len(mechs) > 0 {
		names := make([]string, len(mechs))
		for i, m := range mechs {
			names[i] = m.name
		}
		caps = append(caps, pop3.Capability{Name: pop3.CapSASL, Params: names})
	}
	// RFC 2595 §4, RFC 8314 §4: listed as long as it would be accepted.
	if c.stlsOffered() {
		caps = append(caps, pop3.Capability{Name: pop3.CapSTLS})
	}
	if impl := c.s.opt.Implementation; impl != "" && (c.signedIn() || c.s.opt.ImplementationEarly) {
		caps = append(caps, pop3.Capability{Name: pop3.CapImplementation, Params: strings.Fields(impl)})
	}
	return caps
}
