package lmtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

var (
	endOfData = []byte(".\r\n")
	lineDot   = []byte("\r\n.")
)

// copyData reads a message up to its end, CRLF.CRLF (RFC 5321 §4.1.1.4), takes stuffed dots out (§4.5.2) and writes the
// rest as it is. It returns the octets of the message. After an error of w it reads on to the end without writing, so that
// the connection stays in step; only an error of r leaves it out of step, and then err is a *readError.
//
// Only CRLF ends a line here: "\n.\n", "\r.\r" and their mixtures are content.
func copyData(w io.Writer, r *bufio.Reader) (n int64, err error) {
	put := func(p []byte) {
		n += int64(len(p))
		if err == nil {
			_, err = w.Write(p)
		}
		_, _ = r.Discard(len(p)) // cannot fail: p is buffered
	}
	atLineStart := true
	for {
		if _, e := r.Peek(1); e != nil {
			return n, cut(e)
		}
		window, _ := r.Peek(r.Buffered())
		if atLineStart {
			atLineStart = false
			if window[0] == '.' {
				next, e := r.Peek(len(endOfData))
				if bytes.Equal(next, endOfData) {
					_, _ = r.Discard(len(endOfData))
					return n, err
				}
				if e != nil {
					return n, cut(e)
				}
				_, _ = r.Discard(1)
				continue
			}
		}
		if i := bytes.Index(window, lineDot); i >= 0 {
			put(window[:i+2])
			atLineStart = true
			continue
		}
		switch {
		case bytes.HasSuffix(window, lineDot[:2]):
			put(window)
			atLineStart = true
		case window[len(window)-1] != '\r':
			put(window)
		case len(window) > 1:
			put(window[:len(window)-1])
		default: // a single CR: what follows decides
			next, e := r.Peek(2)
			if e != nil {
				return n, cut(e)
			}
			if next[1] == '\n' {
				put(next)
				atLineStart = true
			} else {
				put(next[:1])
			}
		}
	}
}

// A readError says that the other end or the network failed in the middle of a message.
type readError struct{ err error }

func (e *readError) Error() string { return "lmtpd: message cut short: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &readError{err}
}
