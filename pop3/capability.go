package pop3

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Names of the registered capabilities (RFC 2449 §6, RFC 2595 §4, RFC 3206 §6, RFC 6856).
const (
	CapTop            = "TOP"
	CapUser           = "USER"
	CapSASL           = "SASL"
	CapRespCodes      = "RESP-CODES"
	CapLoginDelay     = "LOGIN-DELAY"
	CapPipelining     = "PIPELINING"
	CapExpire         = "EXPIRE"
	CapUIDL           = "UIDL"
	CapImplementation = "IMPLEMENTATION"
	CapSTLS           = "STLS"
	CapAuthRespCode   = "AUTH-RESP-CODE"
	CapUTF8           = "UTF8"
	CapLang           = "LANG"
)

var registered = []string{
	CapTop, CapUser, CapSASL, CapRespCodes, CapLoginDelay, CapPipelining, CapExpire, CapUIDL,
	CapImplementation, CapSTLS, CapAuthRespCode, CapUTF8, CapLang,
}

// ErrCapability: a line is no capability.
var ErrCapability = errors.New("pop3: malformed capability")

// A Capability is one line of the response to CAPA: a tag and its parameters.
type Capability struct {
	// Name is the tag. Tags are compared without case.
	Name string
	// Params are the parameters, in order, as they were written.
	Params []string
}

// ParseCapability reads one line of a capability list, without its line end. Extra spaces are forgiven.
func ParseCapability(line string) (Capability, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 || !visible(fields[0]) {
		return Capability{}, fmt.Errorf("%w: %q", ErrCapability, cut(line, 80))
	}
	c := Capability{Name: strings.ToUpper(fields[0])}
	if len(fields) > 1 {
		c.Params = fields[1:]
	}
	return c, nil
}

// cut returns at most n octets of s.
func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Append appends the line, without its line end.
func (c Capability) Append(dst []byte) []byte {
	dst = append(dst, c.Name...)
	for _, p := range c.Params {
		dst = append(dst, ' ')
		dst = append(dst, p...)
	}
	return dst
}

// String returns the line, without its line end.
func (c Capability) String() string { return string(c.Append(nil)) }

// Check says why a server must not announce c: a tag or parameter that is empty or not visible ASCII, a dot in the tag
// (RFC 2449 §3), a line over MaxCapability octets, or a tag that is neither registered nor begins with X (RFC 2449 §9).
func (c Capability) Check() error {
	for i, s := range append([]string{c.Name}, c.Params...) {
		if s == "" || !visible(s) || i == 0 && strings.Contains(s, ".") {
			return fmt.Errorf("%w: %q", ErrCapability, c.String())
		}
	}
	if len(c.String())+len("\r\n") > MaxCapability {
		return fmt.Errorf("%w: %s is longer than %d octets", ErrCapability, c.Name, MaxCapability)
	}
	if name := strings.ToUpper(c.Name); name[0] != 'X' && !slices.Contains(registered, name) {
		return fmt.Errorf("%w: %s is not registered and does not begin with X", ErrCapability, c.Name)
	}
	return nil
}

// Capabilities is a capability list, in the server's order.
type Capabilities []Capability

// Get returns the capability with this name, whatever its case.
func (cs Capabilities) Get(name string) (Capability, bool) {
	for _, c := range cs {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Capability{}, false
}

// Has reports whether the list has this capability.
func (cs Capabilities) Has(name string) bool {
	_, ok := cs.Get(name)
	return ok
}

// SASL returns the mechanisms that can be used now, in upper case and in the server's order.
func (cs Capabilities) SASL() []string {
	c, _ := cs.Get(CapSASL)
	mechs := make([]string, len(c.Params))
	for i, p := range c.Params {
		mechs[i] = strings.ToUpper(p)
	}
	return mechs
}

// HasSASL reports whether mech is among the mechanisms that can be used now.
func (cs Capabilities) HasSASL(mech string) bool {
	c, _ := cs.Get(CapSASL)
	return slices.ContainsFunc(c.Params, func(p string) bool { return strings.EqualFold(p, mech) })
}

// LoginDelay returns the shortest time between sign-ins (RFC 2449 §6.5). perUser says that the value may be another one
// for the user, to be asked for after sign-in. ok is false if the server announces none, or none that can be read.
func (cs Capabilities) LoginDelay() (delay time.Duration, perUser, ok bool) {
	c, _ := cs.Get(CapLoginDelay)
	if len(c.Params) == 0 {
		return 0, false, false
	}
	n, ok := ParseOctets(c.Params[0])
	if !ok || n > int64(maxDelay) {
		return 0, false, false
	}
	return time.Duration(n) * time.Second, hasUser(c), true
}

// maxDelay is how many seconds a time.Duration can hold.
const maxDelay = (1<<63 - 1) / time.Second

// Never is the retention of messages that the server does not remove on its own.
const Never = -1

// Expire returns after how many days the server may remove messages on its own (RFC 2449 §6.7): Never, or 0 and more; 0
// means that mail may not be left on the server. perUser says that the value may be another one for the user, to be asked
// for after sign-in. ok is false if the server announces none, or none that can be read.
func (cs Capabilities) Expire() (days int, perUser, ok bool) {
	c, _ := cs.Get(CapExpire)
	if len(c.Params) == 0 {
		return 0, false, false
	}
	if strings.EqualFold(c.Params[0], "NEVER") {
		return Never, hasUser(c), true
	}
	n, ok := ParseOctets(c.Params[0])
	if !ok || n > MaxNum {
		return 0, false, false
	}
	return int(n), hasUser(c), true
}

// hasUser reports whether the second parameter is USER.
func hasUser(c Capability) bool { return len(c.Params) > 1 && strings.EqualFold(c.Params[1], "USER") }
