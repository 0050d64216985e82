package mailfile

import (
	"bytes"
	"io"
)

// A LineForm says what a [LineWriter] does to lines. The zero value leaves them as they are.
type LineForm struct {
	// Quote puts one more ">" before "From ", ">From " and so on at the start of a line (mboxrd).
	Quote bool
	// LF makes CRLF to LF, unless another CR stands before it.
	LF bool
}

// A LineWriter writes a message and changes its lines on the way, as the writers of this package do. It holds at most five
// octets. The writer under it should be buffered.
type LineWriter struct {
	w    io.Writer
	form LineForm
	err  error

	inLine  bool // past the ">" and "From " at the start of a line
	matched int  // how much of "From " was seen at the start of the line and is held
	held    bool // a CR is held that may belong to a CRLF
	last    byte // the octet of this line before it
}

// NewLineWriter returns a LineWriter over w.
func NewLineWriter(w io.Writer, form LineForm) *LineWriter {
	return &LineWriter{w: w, form: form}
}

// Write takes octets of the message, cut anywhere. An error of the writer under it is final.
func (l *LineWriter) Write(p []byte) (int, error) {
	rest := p
	for len(rest) > 0 && l.err == nil {
		if l.form.Quote && !l.inLine {
			rest = l.lineStart(rest)
			continue
		}
		part := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			part = rest[:i+1]
		}
		rest = rest[len(part):]
		l.inLine = part[len(part)-1] != '\n'
		if l.form.LF {
			l.shorten(part)
		} else {
			l.put(part)
		}
	}
	if l.err != nil {
		return len(p) - len(rest), l.err
	}
	return len(p), nil
}

// Flush writes what is held. It is for the end of the message.
func (l *LineWriter) Flush() error {
	l.put(fromWord[:l.matched])
	l.matched = 0
	if l.held {
		l.put([]byte{'\r'})
		l.held = false
	}
	return l.err
}

// lineStart takes octets at the start of a line, and returns the rest.
func (l *LineWriter) lineStart(p []byte) []byte {
	for len(p) > 0 {
		switch c := p[0]; {
		case l.matched == 0 && c == '>':
			l.put(quoteMark)
		case c == fromWord[l.matched]:
			if l.matched++; l.matched == len(fromWord) {
				l.put(quoteMark)
				l.enter()
				return p[1:]
			}
		default:
			l.enter()
			return p
		}
		p = p[1:]
	}
	return nil
}

// enter leaves the start of the line.
func (l *LineWriter) enter() {
	l.put(fromWord[:l.matched])
	l.inLine, l.matched, l.last = true, 0, 0
}

// shorten writes a part of one line, with LF for CRLF at its end.
func (l *LineWriter) shorten(part []byte) {
	if l.held {
		l.held = false
		if part[0] != '\n' || l.last == '\r' {
			l.put([]byte{'\r'})
		}
		l.last = '\r'
	}
	n := len(part)
	switch {
	case n >= 2 && part[n-1] == '\n' && part[n-2] == '\r':
		before := l.last
		if n >= 3 {
			before = part[n-3]
		}
		if before == '\r' {
			l.put(part)
		} else {
			l.put(part[:n-2])
			l.put(lineFeed)
		}
		l.last = '\n'
	case part[n-1] == '\r':
		l.put(part[:n-1])
		if n >= 2 {
			l.last = part[n-2]
		}
		l.held = true
	default:
		l.put(part)
		l.last = part[n-1]
	}
}

func (l *LineWriter) put(p []byte) {
	if l.err == nil && len(p) > 0 {
		_, l.err = l.w.Write(p)
	}
}
