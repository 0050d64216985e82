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
	// AllowPlaintext permits PLAIN and LOGIN without TLS, which shows the password to anybody on the way. It does not
	// permit to show a token: without TLS there is no mechanism for one (RFC 7628 §3).
	AllowPlaintext bool
	// Token says that the client has an access token, and no password: then it is OAUTHBEARER or XOAUTH2, else neither.
	Token bool
}

// SelectMechanism returns the best of the mechanisms that a server offered, or the empty string if none will do. Names are
// compared without regard to case (RFC 5034 §4). [NewClient] returns the client's end of what was selected.
func SelectMechanism(offered []string, opt SelectOptions) string {
	for _, m := range clientMechanisms {
		shown := !opt.TLS && (m.token || m.plaintext && !opt.AllowPlaintext)
		if m.token != opt.Token || m.plus && !opt.Binding || shown {
			continue
		}
		if Offers(offered, m.name) {
			return m.name
		}
	}
	return ""
}

// Offers reports whether a server's list has the mechanism, without regard to case.
func Offers(offered []string, mech string) bool {
	return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, mech) })
}
