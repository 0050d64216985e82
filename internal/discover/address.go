package discover

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// An Address is a mail address.
type Address struct {
	// Local is the part before the "@", as it was written.
	Local string
	// Domain is the part behind it, in lower case and in ASCII (RFC 5891): a name with at least one dot.
	Domain string
}

// maxLocal is the longest local part, in octets (RFC 5321 §4.5.3.1.1).
const maxLocal = 64

// ParseAddress reads "bob@example.net". Quoted local parts and addresses of hosts in brackets are refused.
func ParseAddress(s string) (Address, error) {
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return Address{}, fmt.Errorf("%.80q is not a mail address, write one like bob@example.net", s)
	case local == "" || len(local) > maxLocal || !utf8.ValidString(local) || strings.ContainsFunc(local, notInLocal):
		return Address{}, fmt.Errorf("%.80q has nothing usable before the @, write an address like bob@example.net", s)
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !validHost(ascii) {
		return Address{}, fmt.Errorf("%.80q has no usable domain behind the @, write an address like bob@example.net", s)
	}
	return Address{Local: local, Domain: strings.ToLower(ascii)}, nil
}

// String returns the address.
func (a Address) String() string { return a.Local + "@" + a.Domain }

func notInLocal(r rune) bool {
	return r == ' ' || r == '"' || r == '(' || r == ')' || r == '<' || r == '>' || r == ',' || r == '\\' || !unicode.IsPrint(r)
}

// ErrHost: what should be the name of a host is none.
var ErrHost = errors.New("is not the name of a host")

// host returns a name of the network in the form we compare: lower case, ASCII, without the dot at the end.
func host(s string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || !validHost(ascii) {
		return "", fmt.Errorf("%.80q %w", s, ErrHost)
	}
	return strings.ToLower(ascii), nil
}

// validHost tells whether s is the full name of a host: at least two labels, and no IP address, for which nobody gives
// certificates that a person could check.
func validHost(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// within tells whether a host belongs to a domain by its name.
func within(host, domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
