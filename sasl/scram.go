package sasl

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // for crypto.SHA1
	_ "crypto/sha256"
	"crypto/subtle"
	"strings"
	"unicode/utf8"
)

// A ScramHash is the hash function of a SCRAM mechanism. The zero value is SHA-256.
type ScramHash uint8

const (
	// SHA256 is that of SCRAM-SHA-256 (RFC 7677).
	SHA256 ScramHash = iota
	// SHA1 is that of SCRAM-SHA-1 (RFC 5802): for old clients, still sound in this use.
	SHA1
)

// Mechanism returns the mechanism's name, with plus that of the form with channel binding.
func (h ScramHash) Mechanism(plus bool) string {
	switch {
	case h == SHA1 && plus:
		return ScramSHA1Plus
	case h == SHA1:
		return ScramSHA1
	case plus:
		return ScramSHA256Plus
	}
	return ScramSHA256
}

// Size returns the octets of a hash, and so of a key.
func (h ScramHash) Size() int { return h.std().Size() }

func (h ScramHash) std() crypto.Hash {
	if h == SHA1 {
		return crypto.SHA1
	}
	return crypto.SHA256
}

func (h ScramHash) sum(b []byte) []byte {
	f := h.std().New()
	f.Write(b)
	return f.Sum(nil)
}

func (h ScramHash) hmac(key []byte, text string) []byte {
	mac := hmac.New(h.std().New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// xor returns a XOR b, which have one length.
func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	subtle.XORBytes(out, a, b)
	return out
}

// attribute takes "k=value" off the front of s, up to the comma or the end. It checks that the value is not empty and
// has neither NUL nor anything that is not UTF-8 (RFC 5802 §7, value).
func attribute(s string, key byte) (value, rest string, err error) {
	if len(s) < 2 || s[0] != key || s[1] != '=' {
		return "", "", malformed("SCRAM: attribute " + string(key) + " is not where it must be")
	}
	value, rest, _ = strings.Cut(s[2:], ",")
	if value == "" || strings.IndexByte(value, 0) >= 0 || !utf8.ValidString(value) {
		return "", "", malformed("SCRAM: attribute " + string(key) + " has no sound value")
	}
	return value, rest, nil
}

// extensions checks the optional attributes at the end of a message, which are to be ignored (RFC 5802 §5.1). What
// precedes them is without its comma; comma says whether it was there.
func extensions(s string, comma bool) error {
	if !comma {
		return nil
	}
	for {
		if s == "" || !isAlpha(s[0]) {
			return malformed("SCRAM: extension without a letter")
		}
		_, rest, err := attribute(s, s[0])
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			if strings.HasSuffix(s, ",") {
				return malformed("SCRAM: comma at the end")
			}
			return nil
		}
		s = rest
	}
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isNonce reports whether s is 1*printable (RFC 5802 §7): visible ASCII without the comma.
func isNonce(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e || s[i] == ',' {
			return false
		}
	}
	return s != ""
}

// isBindingType reports whether s is a cb-name: 1*(ALPHA / DIGIT / "." / "-").
func isBindingType(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}

var saslnameEscaper = strings.NewReplacer("=", "=3D", ",", "=2C")

// decodeSaslname undoes =2C and =3D, and refuses any other "=" (RFC 5802 §5.1).
func decodeSaslname(s string) (string, error) {
	before, after, found := strings.Cut(s, "=")
	if !found {
		return s, nil
	}
	var b bytes.Buffer
	for found {
		b.WriteString(before)
		switch {
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", malformed("SCRAM: name has an = that is neither =2C nor =3D")
		}
		before, after, found = strings.Cut(after[2:], "=")
	}
	b.WriteString(before)
	return b.String(), nil
}
