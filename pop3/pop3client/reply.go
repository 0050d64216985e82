package pop3client

import (
	"bytes"
	"strings"

	"github.com/postamt/postamt/pop3"
)

// status reads a status line and returns what stands behind +OK, valid until the next read. -ERR is a *pop3.Error and
// ends the command; anything else ends the session.
func (c *Client) status() ([]byte, error) {
	line, err := c.readLine()
	if err != nil {
		return nil, err
	}
	text, ok, err := parseStatus(line)
	switch {
	case err != nil:
		return nil, c.protocolError(line, err)
	case !ok:
		c.end()
		return nil, parseError(text)
	}
	return text, nil
}

// readLine reads a line of a kind that may end with a bare LF.
func (c *Client) readLine() ([]byte, error) {
	c.r.BareLF = true
	line, err := c.r.ReadLine(c.opt.MaxLine)
	if err != nil {
		return nil, c.fail(err)
	}
	if c.opt.Trace != nil {
		c.opt.Trace(false, printable(line))
	}
	return line, nil
}

// parseStatus takes a status line apart: ok for +OK, not ok for -ERR. What follows is optional, with or without a space
// (RFC 1939 §3).
func parseStatus(line []byte) (text []byte, ok bool, err error) {
	switch {
	case len(line) >= 3 && line[0] == '+' && strings.EqualFold(string(line[1:3]), "OK"):
		return bytes.TrimLeft(line[3:], " \t"), true, nil
	case len(line) >= 4 && line[0] == '-' && strings.EqualFold(string(line[1:4]), "ERR"):
		return bytes.TrimLeft(line[4:], " \t"), false, nil
	}
	return nil, false, errNoStatus
}

// parseError makes an error of the text behind -ERR, with the response code cut off.
func parseError(text []byte) *pop3.Error {
	st, err := pop3.ParseStatus("-ERR " + printable(text))
	if err != nil {
		return &pop3.Error{Text: printable(text)} // cannot be: the line begins with -ERR and a space
	}
	return &pop3.Error{Code: st.Code, Text: strings.TrimLeft(st.Text, " ")}
}

// A reason is why a line breaks the protocol.
type reason string

func (r reason) Error() string { return string(r) }

const (
	errNoStatus    reason = "neither +OK nor -ERR"
	errNoNumbers   reason = "numbers expected"
	errOtherNumber reason = "about another message"
)

// cutNumber cuts a decimal number off the start of b, and the space before it. A number that is negative, or bigger than
// an int64, is -1: some servers send such sizes.
func cutNumber(b []byte) (n int64, rest []byte, ok bool) {
	b = bytes.TrimLeft(b, " \t")
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		d := int64(b[i] - '0')
		if n >= 0 && n > (1<<63-1-d)/10 {
			n = -1
		}
		if n >= 0 {
			n = 10*n + d
		}
		i++
	}
	if i == 0 || i < len(b) && b[i] != ' ' && b[i] != '\t' {
		return 0, b, false
	}
	if negative {
		n = -1
	}
	return n, b[i:], true
}

// cutNum cuts a message-number: from 1 to what fits in 31 bits.
func cutNum(b []byte) (num int, rest []byte, ok bool) {
	n, rest, ok := cutNumber(b)
	if !ok || n < 1 || n > 1<<31-1 {
		return 0, rest, false
	}
	return int(n), rest, true
}

// declaredSize looks for a size in the text of the answer to RETR: a number with "octets" or "bytes" behind it.
func declaredSize(text []byte) int64 {
	for len(text) > 0 {
		i := bytes.IndexAny(text, "0123456789")
		if i < 0 {
			return -1
		}
		glued := i > 0 && text[i-1] != ' ' && text[i-1] != '('
		n, rest, ok := cutNumber(text[i:])
		if ok && !glued {
			unit := bytes.TrimLeft(rest, " ")
			if len(unit) >= 5 && strings.EqualFold(string(unit[:5]), "octet") ||
				len(unit) >= 4 && strings.EqualFold(string(unit[:4]), "byte") {
				return n
			}
		}
		text = bytes.TrimLeft(text[i:], "0123456789")
	}
	return -1
}
