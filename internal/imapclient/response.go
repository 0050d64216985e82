package imapclient

import "bytes"

// A responseKind says what a response may have in it.
type responseKind uint8

const (
	otherResponse  responseKind = iota // short literals
	fetchResponse                      // the texts of messages, too
	statusResponse                     // text for people, and no literals
	badResponse
)

// kindOf goes by the first keptHead octets of a response, or all of it if it is shorter. code reports whether there is a
// response code in it.
func kindOf(head []byte) (kind responseKind, code bool) {
	if bytes.HasPrefix(head, []byte("+")) {
		return statusResponse, false
	}
	words := bytes.SplitN(head, []byte(" "), 4)
	i := 1 // of the word that says what it is
	if len(words) > 1 && len(words[1]) > 0 && words[1][0] >= '0' && words[1][0] <= '9' {
		i = 2
	}
	if len(words) < i+2 { // nothing behind that word
		if len(head) == keptHead {
			return badResponse, false
		}
		return otherResponse, false
	}
	behind := words[i+1]
	switch string(bytes.ToUpper(words[i])) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH": // behind a number it is none, but the library takes it for one
		return statusResponse, bytes.HasPrefix(behind, []byte("["))
	case "FETCH":
		if i == 2 && string(words[0]) == "*" && bytes.HasPrefix(behind, []byte("(")) {
			return fetchResponse, false
		}
	}
	return otherResponse, false
}
