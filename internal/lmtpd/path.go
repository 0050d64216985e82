package lmtpd

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// An address is a parsed forward-path or reverse-path with the parameters after it.
type address struct {
	path   string // without angle brackets and source route; empty for the null path
	params string
}

// parsePath reads the argument of MAIL or RCPT: the keyword ("FROM:" or "TO:"), a path, and the parameters. Blanks after
// the colon are let pass, because some senders put one there. utf8 says whether octets outside ASCII are allowed.
func parsePath(arg, keyword string) (address, bool) {
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		return address{}, false
	}
	s := strings.TrimLeft(arg[len(keyword):], " ")
	if s == "" || s[0] != '<' {
		return address{}, false
	}
	end := closingBracket(s)
	if end < 0 || end > maxPath {
		return address{}, false
	}
	path, rest := s[1:end], s[end+1:]
	if rest != "" && rest[0] != ' ' {
		return address{}, false
	}
	if strings.HasPrefix(path, "@") { // a source route, to be ignored (RFC 5321 §4.1.1.3)
		_, after, found := strings.Cut(path, ":")
		if !found || after == "" || after[0] == '@' {
			return address{}, false
		}
		path = after
	}
	path, ok := plainPath(path)
	return address{path: path, params: strings.TrimSpace(rest)}, ok
}

// closingBracket returns the index of the '>' that ends s, outside of a quoted string; -1 if there is none.
func closingBracket(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}

// plainPath checks an address and writes a quoted local part that needs no quotes without them.
func plainPath(path string) (string, bool) {
	if !utf8.ValidString(path) {
		return "", false
	}
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7F {
			return "", false
		}
	}
	if !strings.HasPrefix(path, `"`) {
		return path, !strings.ContainsAny(path, " \"<>\\")
	}
	var local strings.Builder
	i := 1
	for ; i < len(path) && path[i] != '"'; i++ {
		if path[i] == '\\' {
			i++
			if i == len(path) {
				return "", false
			}
		}
		local.WriteByte(path[i])
	}
	if i == len(path) {
		return "", false
	}
	domain := path[i+1:]
	if domain != "" && domain[0] != '@' || strings.ContainsAny(domain, " \"<>\\") {
		return "", false
	}
	if plain := local.String(); plain != "" && !strings.ContainsAny(plain, " \"<>\\()[],:;@") {
		return plain + domain, true
	}
	return path, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// mailParams are the parameters of MAIL that we know.
type mailParams struct {
	size int64 // as announced; 0 if not
	utf8 bool
}

// parseMailParams reads the parameters of MAIL. A reply that is not empty says what is wrong with them.
func parseMailParams(s string, maxMessage int64) (mailParams, reply) {
	var p mailParams
	for _, param := range strings.Fields(s) {
		key, value, hasValue := strings.Cut(param, "=")
		switch strings.ToUpper(key) {
		case "SIZE":
			size, err := strconv.ParseUint(value, 10, 64)
			if err != nil && !isDigits(value) {
				return p, reply{501, "5.5.4", "SIZE wants a number of octets"}
			}
			if err != nil || size > uint64(maxMessage) {
				return p, tooLarge(maxMessage)
			}
			p.size = int64(size)
		case "BODY":
			switch strings.ToUpper(value) {
			case "7BIT", "8BITMIME":
			case "BINARYMIME":
				return p, reply{501, "5.6.1", "BINARYMIME is not taken: POP3 cannot carry it"}
			default:
				return p, reply{501, "5.5.4", "BODY is 7BIT or 8BITMIME"}
			}
		case "SMTPUTF8":
			if hasValue {
				return p, reply{501, "5.5.4", "SMTPUTF8 has no value"}
			}
			p.utf8 = true
		default:
			return p, reply{555, "5.5.4", "MAIL parameter not known"}
		}
	}
	return p, reply{}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
