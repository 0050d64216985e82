package sasl

import (
	"slices"
	"strings"
)

// SelectOptions say what a client can and may do. The zero value is the safe one for a connection without TLS.
type SelectOptions struct {
	// TLS says that the connection is encrypted and the server's certificate was checked.
	TLS bool
	// Binding says that the client has a channel binding for the connection.
	Binding bool
	// AllowPlaintext permits PLAIN and LOGIN without TLS, which shows the password to anybody on the way.
	AllowPlaintext bool
}

// preference lists the mechanisms a client takes, the best first: those that prove the server and bind the channel, those
// that prove the server, one that at least does not send the password, and those that do.
var preference = [...]struct {
	name            string
	plus, plaintext bool
}{
	{name: ScramSHA256Plus, plus: true},
	{name: ScramSHA1Plus, plus: true},
	{name: ScramSHA256},
	{name: ScramSHA1},
	{name: CRAMMD5},
	{name: Plain, plaintext: true},
	{name: Login, plaintext: true},
}

// SelectMechanism returns the best of the mechanisms that a server offered, or the empty string if none will do. Names are
// compared without regard to case (RFC 5034 §4).
func SelectMechanism(offered []string, opt SelectOptions) string {
	for _, p := range preference {
		if p.plus && !opt.Binding || p.plaintext && !opt.TLS && !opt.AllowPlaintext {
			continue
		}
		if Offers(offered, p.name) {
			return p.name
		}
	}
	return ""
}

// Offers reports whether a server's list has the mechanism, without regard to case.
func Offers(offered []string, mech string) bool {
	return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, mech) })
}
