package pop3

import (
	"errors"
	"strings"
)

// A Status is the first line of a response.
type Status struct {
	// OK tells +OK from -ERR.
	OK bool
	// Code is the response code in upper case, or empty.
	Code ResponseCode
	// Text is the rest, without the response code. It is the server's word: clean it before you show it (Printable).
	Text string
}

// ErrStatus: a line is neither +OK nor -ERR.
var ErrStatus = errors.New("pop3: response begins with neither +OK nor -ERR")

// ParseStatus reads the first line of a response, without its line end. The space after the status indicator may be
// missing at the end of the line (RFC 1957). Response codes are compared without case (RFC 2449 §8), so Code comes in
// upper case; what is not one stays in Text.
func ParseStatus(line string) (Status, error) {
	st, rest := Status{}, ""
	switch {
	case hasIndicator(line, "+OK"):
		st.OK, rest = true, line[len("+OK"):]
	case hasIndicator(line, "-ERR"):
		rest = line[len("-ERR"):]
	default:
		return Status{}, ErrStatus
	}
	rest = strings.TrimPrefix(rest, " ")
	if code, text, ok := cutCode(rest); ok {
		st.Code, rest = code, text
	}
	st.Text = rest
	return st, nil
}

// hasIndicator reports whether line begins with a status indicator that ends there.
func hasIndicator(line, indicator string) bool {
	rest, ok := strings.CutPrefix(line, indicator)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// cutCode cuts "[code]" and one space off the start of s.
func cutCode(s string) (code ResponseCode, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	inner, rest, ok := strings.Cut(s[1:], "]")
	if !ok || !validCode(inner) {
		return "", s, false
	}
	return ResponseCode(strings.ToUpper(inner)), strings.TrimPrefix(rest, " "), true
}

// validCode reports whether s is a response code: levels of visible ASCII with slashes between (RFC 2449 §3, §8).
func validCode(s string) bool {
	if s == "" {
		return false
	}
	for level := range strings.SplitSeq(s, "/") {
		if level == "" || !visible(level) || strings.ContainsAny(level, "[]") {
			return false
		}
	}
	return true
}

// Is reports whether c is other, or a code below it: SYS/TEMP/DISK is SYS/TEMP. Unknown further levels are ignored, as
// RFC 2449 §8 asks.
func (c ResponseCode) Is(other ResponseCode) bool {
	rest, ok := strings.CutPrefix(strings.ToUpper(string(c)), strings.ToUpper(string(other)))
	return ok && other != "" && (rest == "" || rest[0] == '/')
}

// Printable returns s with control characters and octets that are no UTF-8 made '?', so that text of the other end can
// be shown on a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 || r == '\uFFFD' || r == '\u2028' || r == '\u2029' || isBidi(r) {
			return '?'
		}
		return r
	}, s)
}

// isBidi reports whether r changes the direction of text, which can make a line read as something else.
func isBidi(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' || r == '\u200E' || r == '\u200F' || r == '\u061C'
}
