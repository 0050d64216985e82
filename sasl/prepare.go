package sasl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// Prepare prepares a user name, an authorization identity or a password for comparison and hashing, by SASLprep
// (RFC 4013): other spaces become SPACE, invisible characters go, the rest is put in Unicode normalization form KC, and
// control characters, private characters and mixed writing directions are refused. ASCII without control characters is
// returned as it is. Preparing what is prepared changes nothing.
//
// RFC 4616 §2 and RFC 5802 §5.1 name SASLprep. Its successor, PRECIS (RFC 8265), keeps some strings apart that SASLprep
// makes equal, so an end that used it could not sign in to one that does what these RFCs say. Code points that were
// unassigned in Unicode 3.2 are let through, as RFC 4013 §2.5 allows for queries: a password with a new emoji works.
//
// It fails with ErrMalformed if s is not UTF-8, has a refused character, or has characters of which none is left. The
// empty string is returned as it is: whether it is allowed is the caller's to know.
func Prepare(s string) (string, error) {
	if plainASCII(s) {
		return s, nil
	}
	if !utf8.ValidString(s) {
		return "", malformed("text is not UTF-8")
	}
	p := norm.NFKC.String(strings.Map(saslprepMap, s))
	if p == "" {
		return "", malformed("text has only characters that do not count")
	}
	for _, r := range p {
		if unicode.Is(saslprepProhibited, r) {
			return "", malformed("text has a character that is not allowed")
		}
	}
	if !directionsFit(p) {
		return "", malformed("text mixes writing directions")
	}
	return p, nil
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// saslprepMap is the mapping of RFC 4013 §2.1: table C.1.2 to SPACE first, then table B.1 to nothing.
func saslprepMap(r rune) rune {
	switch {
	case unicode.Is(saslprepSpace, r):
		return ' '
	case unicode.Is(saslprepNothing, r):
		return -1
	}
	return r
}

// directionsFit checks RFC 3454 §6: a text with a right-to-left character has no left-to-right one and begins and ends
// with a right-to-left one.
func directionsFit(s string) bool {
	var rtl, ltr bool
	for _, r := range s {
		switch direction(r) {
		case bidi.R, bidi.AL:
			rtl = true
		case bidi.L:
			ltr = true
		}
	}
	if !rtl {
		return true
	}
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return !ltr && isRTL(first) && isRTL(last)
}

func isRTL(r rune) bool { d := direction(r); return d == bidi.R || d == bidi.AL }

func direction(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}
