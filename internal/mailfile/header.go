package mailfile

import (
	"bufio"
	"errors"
	"io"
	"net/mail"
	"strings"
	"time"
)

// A header is what the header of a message tells of its way.
type header struct {
	returnPath string
	received   time.Time // of the topmost Received field
	date       time.Time
}

const (
	maxHeader = 256 << 10 // octets that are looked at
	maxField  = 4 << 10   // octets of a field that are kept
	maxSender = 320       // octets of an address: longer ones are none
)

// readHeader reads the header of a message. It finds what it can.
func readHeader(r io.Reader) header {
	var h header
	br := bufio.NewReader(io.LimitReader(r, maxHeader))
	field := make([]byte, 0, 256)
	for {
		line, cut, err := readLine(br)
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			field = appendBounded(field, line)
		} else {
			h.take(string(field))
			if len(line) == 0 {
				return h
			}
			field = appendBounded(field[:0], line)
		}
		for cut && err == nil { // the rest of a long line
			_, cut, err = readLine(br)
		}
		if err != nil {
			h.take(string(field))
			return h
		}
	}
}

// readLine reads a line without its end, or as much of it as the buffer holds; then cut is true.
func readLine(br *bufio.Reader) (line []byte, cut bool, err error) {
	line, err = br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return line, true, nil
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line, false, err
}

func appendBounded(dst, src []byte) []byte {
	return append(dst, src[:min(len(src), maxField-len(dst))]...)
}

// take looks at one unfolded field.
func (h *header) take(field string) {
	name, value, ok := strings.Cut(field, ":")
	if !ok {
		return
	}
	switch strings.ToLower(strings.TrimRight(name, " \t")) {
	case "return-path":
		if h.returnPath == "" {
			h.returnPath = cleanSender(strings.TrimSpace(value))
		}
	case "received":
		if i := strings.LastIndexByte(value, ';'); i >= 0 && h.received.IsZero() {
			h.received = parseDate(value[i+1:])
		}
	case "date":
		if h.date.IsZero() {
			h.date = parseDate(value)
		}
	}
}

// parseDate reads the date of a header field, and returns zero if it is none.
func parseDate(s string) time.Time {
	t, err := mail.ParseDate(strings.TrimSpace(s))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC()
}

// cleanSender returns an address without its brackets, or nothing if it is none.
func cleanSender(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == '\ufffd' }
	if len(s) > maxSender || !strings.Contains(s, "@") || strings.ContainsFunc(s, bad) {
		return ""
	}
	return s
}
