package account

import (
	"crypto/rand"
	"unicode/utf8"

	"github.com/postamt/postamt/sasl"
)

// MaxPassword is the length of the longest password in octets: PASS with it fills the 255 octets of the longest command
// line (RFC 2449 §4).
const MaxPassword = 248

// A PasswordError says why a string cannot be a password. It does not repeat the string.
type PasswordError struct {
	Reason string // completes "the password ..."
}

func (e *PasswordError) Error() string { return "account: the password " + e.Reason }

// newPassword returns a password that is to be set, prepared by SASLprep, or a *PasswordError.
func newPassword(s string) (string, error) {
	switch {
	case s == "":
		return "", &PasswordError{"is empty"}
	case !utf8.ValidString(s):
		return "", &PasswordError{"is not UTF-8"}
	}
	p, err := sasl.Prepare(s)
	if err != nil || p == "" {
		return "", &PasswordError{"has characters that cannot stand in a password, such as control characters (RFC 4013)"}
	}
	if len(p) > MaxPassword || len(s) > MaxPassword {
		return "", &PasswordError{"is longer than 248 octets"}
	}
	return p, nil
}

// givenPassword returns a password that somebody signs in with in the form in which it was set, whichever way their
// client composes characters. What cannot be prepared (Latin-1, say) stays as it is, and fits nothing.
func givenPassword(s string) string {
	p, err := sasl.Prepare(s)
	if err != nil {
		return s
	}
	return p
}

// passwordAlphabet has 32 signs, without those that look alike (l and 1, o and 0).
const passwordAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// GeneratePassword returns a new random password with 140 bits of entropy, made to be read out and typed: seven groups
// of four small letters and digits.
func GeneratePassword() string {
	const groups, size = 7, 4
	var random [groups * size]byte
	_, _ = rand.Read(random[:]) // does not fail
	p := make([]byte, 0, len(random)+groups-1)
	for i, r := range random {
		if i > 0 && i%size == 0 {
			p = append(p, '-')
		}
		p = append(p, passwordAlphabet[r%32])
	}
	return string(p)
}
