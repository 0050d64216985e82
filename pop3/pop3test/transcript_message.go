package pop3test

import "bytes"

const fillerHeader = "Subject: x\r\n\r\n"

// minFiller is the shortest message that filler makes: the header and one empty line.
const minFiller = len(fillerHeader) + 2

// filler makes a message of exactly n octets, with CRLF line ends.
func filler(n int) []byte {
	b := append(make([]byte, 0, n), fillerHeader...)
	for n > len(b) {
		l := min(n-len(b), 72)
		if n-len(b)-l == 1 {
			l-- // one octet left is no line
		}
		b = append(b, bytes.Repeat([]byte{'x'}, l-2)...)
		b = append(b, '\r', '\n')
	}
	return b
}

// crlfForm returns a message as POP3 counts it: line ends CRLF, the last line ended (RFC 1939 §11). A CR that is not in
// front of LF is an octet like any other. It and what follows are written to be plainly right, not fast.
func crlfForm(message []byte) []byte {
	out := make([]byte, 0, len(message))
	for len(message) > 0 {
		line, rest, ended := bytes.Cut(message, []byte("\n"))
		message = rest
		if ended {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		out = append(append(out, line...), '\r', '\n')
	}
	return out
}

// wireForm returns a message as RETR sends it, without the termination octet: its crlfForm, byte-stuffed (RFC 1939 §3).
func wireForm(message []byte) []byte {
	var out []byte
	for line := range bytes.Lines(crlfForm(message)) {
		if line[0] == '.' {
			out = append(out, '.')
		}
		out = append(out, line...)
	}
	return out
}

// topOf cuts the wire form of a message after the header, the empty line and n lines (RFC 1939 §7, TOP).
func topOf(wire []byte, n int) []byte {
	inBody := false
	var out []byte
	for len(wire) > 0 && (!inBody || n > 0) {
		line, rest, _ := bytes.Cut(wire, []byte("\n"))
		wire = rest
		out = append(append(out, line...), '\n')
		switch {
		case inBody:
			n--
		case len(line) == 1:
			inBody = true
		}
	}
	return out
}
