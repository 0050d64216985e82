package wire

import (
	"bytes"
	"errors"
	"io"
)

// Bounds of a LineReader.
const (
	// MinBuffer is the smallest buffer a LineReader works with. It holds one command of 255 octets and some more, so
	// that an idle connection costs little.
	MinBuffer = 512
	// MaxDiscard is how many octets of one over-long line are thrown away before the line counts as endless.
	MaxDiscard = 16 << 20
)

var (
	// ErrLineTooLong: the line was longer than allowed. It has been read up to its end and thrown away, so the next line
	// can be read.
	ErrLineTooLong = errors.New("wire: line too long")
	// ErrEndlessLine: MaxDiscard octets came without a line end. The reader is of no further use.
	ErrEndlessLine = errors.New("wire: line has no end")
)

// A LineReader reads lines and multi-line bodies from one end of a connection.
//
// A line ends with CRLF. A bare CR never ends a line; a bare LF does only if BareLF is set.
type LineReader struct {
	// BareLF makes a bare LF end a line, too.
	BareLF bool

	r    io.Reader
	size int    // of home
	home []byte // the buffer kept for life, but for Rest
	buf  []byte // home, or a bigger one while a long line needs it
	pos  int    // buf[pos:end] is read but not consumed
	end  int
	err  error // of the last Read, reported once the window is used up
	bare bool  // the last line ended with a bare LF

	// Of an over-long line that is being thrown away:
	cr     bool // its last octet so far is a CR
	thrown int  // octets so far; 0 if there is no such line
}

// NewLineReader returns a LineReader over r whose buffer has size octets, at least MinBuffer.
func NewLineReader(r io.Reader, size int) *LineReader {
	l := &LineReader{r: r, size: max(size, MinBuffer)}
	l.wake()
	return l
}

// Reset makes l read from r and throws away what is buffered. It returns how many octets that were.
func (l *LineReader) Reset(r io.Reader) (discarded int) {
	discarded = l.end - l.pos
	l.wake()
	l.r, l.err, l.buf, l.pos, l.end, l.bare = r, nil, l.home, 0, 0, false
	l.cr, l.thrown = false, 0
	return discarded
}

// Rest gives the buffer up, which must be empty. ReadLine makes another one; nothing else may be called before it but
// Buffered, HasLine and Reset.
func (l *LineReader) Rest() { l.home, l.buf, l.pos, l.end = nil, nil, 0, 0 }

// wake ends a Rest.
func (l *LineReader) wake() {
	if l.home == nil {
		l.home = make([]byte, l.size)
		l.buf = l.home
	}
}

// Buffered returns the number of octets read but not consumed.
func (l *LineReader) Buffered() int { return l.end - l.pos }

// EndedBare reports whether the line that ReadLine returned last ended with a bare LF.
func (l *LineReader) EndedBare() bool { return l.bare }

// HasLine reports whether a further complete line is buffered, so that ReadLine would not wait.
func (l *LineReader) HasLine() bool {
	_, _, ok := l.lineEnd(l.buf[l.pos:l.end], 0)
	return ok
}

// lineEnd looks for the first line end in b whose LF is at or after from. The line is b[:text], the next begins at next.
func (l *LineReader) lineEnd(b []byte, from int) (text, next int, ok bool) {
	for from < len(b) {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, 0, false
		}
		i += from
		if i > 0 && b[i-1] == '\r' {
			return i - 1, i + 1, true
		}
		if l.BareLF {
			return i, i + 1, true
		}
		from = i + 1
	}
	return 0, 0, false
}

// ReadLine returns the next line without its end. limit is the longest line allowed, in octets with the line end; a
// longer one is read to its end, thrown away and reported as ErrLineTooLong. The line is valid until the next call.
//
// io.EOF comes only between lines; a line cut off is io.ErrUnexpectedEOF and is never returned. After another error of
// Read, such as that of a deadline, the next call goes on where this one was.
func (l *LineReader) ReadLine(limit int) ([]byte, error) {
	l.wake()
	l.shrink()
	if l.thrown > 0 {
		return nil, l.discardLine()
	}
	seen := 0
	for {
		win := l.buf[l.pos:l.end]
		if text, next, ok := l.lineEnd(win, seen); ok {
			l.pos += next
			if next > limit {
				return nil, ErrLineTooLong
			}
			l.bare = next-text == 1
			return win[:text], nil
		}
		if len(win) >= limit {
			return nil, l.discardLine()
		}
		seen = len(win)
		if err := l.fill(limit); err != nil {
			if err == io.EOF && len(win) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// discardLine throws away everything up to the next line end.
func (l *LineReader) discardLine() error {
	for l.thrown <= MaxDiscard {
		win := l.buf[l.pos:l.end]
		next, ok := 1, l.cr && len(win) > 0 && win[0] == '\n'
		if !ok {
			_, next, ok = l.lineEnd(win, 0)
		}
		if ok {
			l.pos += next
			l.cr, l.thrown = false, 0
			return ErrLineTooLong
		}
		if len(win) > 0 {
			l.cr = win[len(win)-1] == '\r'
		}
		l.thrown += len(win)
		l.pos, l.end = 0, 0
		if err := l.fill(0); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return ErrEndlessLine
}

// fill reads more octets behind the window. If the window fills the buffer, the buffer grows to at most limit octets.
func (l *LineReader) fill(limit int) error {
	if l.err != nil {
		err := l.err
		l.err = nil
		return err
	}
	if l.pos == l.end {
		l.pos, l.end = 0, 0
	}
	if l.end == len(l.buf) {
		switch {
		case l.pos > 0:
			l.end = copy(l.buf, l.buf[l.pos:l.end])
		default:
			bigger := make([]byte, min(2*len(l.buf), max(limit, len(l.buf)+1)))
			l.end = copy(bigger, l.buf)
			l.buf = bigger
		}
		l.pos = 0
	}
	for range 100 {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if n > 0 {
			l.err = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// shrink goes back to the buffer kept for life when what is left fits in.
func (l *LineReader) shrink() {
	if len(l.buf) != len(l.home) && l.end-l.pos <= len(l.home) {
		l.end = copy(l.home, l.buf[l.pos:l.end])
		l.buf, l.pos = l.home, 0
	}
}

// need fills until n octets are in the window.
func (l *LineReader) need(n int) error {
	for l.end-l.pos < n {
		if err := l.fill(n); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
