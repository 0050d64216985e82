package account

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// MaxName is the length of the longest account name in octets: USER with it fills the 255 octets of the longest command
// line (RFC 2449 §4).
const MaxName = 248

// A NameError says why a string cannot be the name of an account.
type NameError struct {
	Name   string
	Reason string // completes "the name ..."
}

func (e *NameError) Error() string {
	return fmt.Sprintf("account: the name %.80q %s", e.Name, e.Reason)
}

// NormalizeName returns the one form of an account name in which it is stored and compared, or a *NameError.
//
// A name is a local part ("alice") or a whole address ("alice@example.org") that needs no quotes: on each side of the
// "@" words of letters, digits and !#$%&'*+-=?^_`{|}~ joined by single dots (RFC 5322 §3.2.3, with RFC 6531's
// characters beyond ASCII, but without "/"). It has 1 to MaxName octets and does not begin with "-". Case and width are
// folded and characters composed by the profile UsernameCaseMapped (RFC 8265 §3.3).
func NormalizeName(name string) (string, error) {
	if reason := checkName(name); reason != "" {
		return "", &NameError{name, reason}
	}
	folded, err := foldName(name)
	if err != nil {
		return "", &NameError{name, "has characters that cannot stand in a name (RFC 8265)"}
	}
	// Folding may bring forth what was not allowed, such as a wide "@".
	if reason := checkName(folded); reason != "" {
		return "", &NameError{name, reason}
	}
	return folded, nil
}

// foldName applies UsernameCaseMapped. A name of lower-case ASCII, which nearly all are, comes back as it is.
func foldName(name string) (string, error) {
	i := 0
	for i < len(name) && name[i] < utf8.RuneSelf && (name[i] < 'A' || name[i] > 'Z') {
		i++
	}
	if i == len(name) {
		return name, nil
	}
	once, err := precis.UsernameCaseMapped.String(name)
	if err != nil {
		return "", err
	}
	// RFC 8264 §7: the rules are applied until the outcome is stable, or the string is refused.
	twice, err := precis.UsernameCaseMapped.String(once)
	if err != nil {
		return "", err
	}
	if once != twice {
		return "", fmt.Errorf("account: %q does not fold to a stable form", name)
	}
	return once, nil
}

// checkName returns what is wrong with name, or "".
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("is longer than %d octets", MaxName)
	case name[0] == '-':
		return `begins with "-"`
	case !utf8.ValidString(name):
		return "is not UTF-8"
	}
	local, domain, whole := strings.Cut(name, "@")
	if reason := checkDotAtom(local); reason != "" {
		return reason
	}
	if !whole {
		return ""
	}
	if strings.Contains(domain, "@") {
		return `has more than one "@"`
	}
	return checkDotAtom(domain)
}

func checkDotAtom(s string) string {
	if s == "" {
		return `lacks a part beside the "@"`
	}
	if s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return "has a dot at an end or two in a row"
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ' ':
			return "has a space"
		case c < ' ' || c == 0x7F:
			return "has a control character"
		case strings.IndexByte(`"(),/:;<>[\]`, c) >= 0:
			return fmt.Sprintf("has the sign %q", c)
		}
	}
	return ""
}
