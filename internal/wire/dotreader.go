package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong: a multi-line body has more octets than allowed.
var ErrTooLong = errors.New("wire: multi-line response too long")

var (
	crlfDot = []byte("\r\n.")
	lfDot   = []byte("\n.")
)

// A DotReader reads the body of one multi-line response: it takes off the byte-stuffing and ends with io.EOF at the
// terminating line (RFC 1939 §3). Line ends come out as they came in.
//
// If the LineReader's BareLF is set, a bare LF counts as a line end here, too, so that `.` LF ends the body; else
// `LF . LF` is content like any other.
type DotReader struct {
	l     *LineReader
	left  int64 // octets that may still come; negative: no bound
	n     int64
	bol   bool // the next octet begins a line
	cr    bool // the last octet was CR
	ended bool
	err   error
}

// DotReader returns a reader of the multi-line body that begins at l's next octet. More than limit octets are refused
// with ErrTooLong; a negative limit is none. l must not be used otherwise until the body has ended.
func (l *LineReader) DotReader(limit int64) *DotReader {
	l.shrink()
	return &DotReader{l: l, left: limit, bol: true}
}

// Ended reports whether the terminating line was read.
func (d *DotReader) Ended() bool { return d.ended }

// Octets returns the number of octets that came out so far.
func (d *DotReader) Octets() int64 { return d.n }

// Read implements io.Reader. A body cut off before its terminating line is io.ErrUnexpectedEOF.
func (d *DotReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	for n < len(p) {
		chunk, err := d.next(len(p) - n)
		if err != nil {
			if n > 0 {
				return n, nil // next says the same again
			}
			return 0, err
		}
		n += copy(p[n:], chunk)
		if d.l.Buffered() < 3 {
			break // going on might wait
		}
	}
	return n, nil
}

// WriteTo implements io.WriterTo: it writes to w straight from the buffer.
func (d *DotReader) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		chunk, err := d.next(len(d.l.buf))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		m, err := w.Write(chunk)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
}

// next consumes and returns the next piece of content, 1 to size octets, valid until the next call.
func (d *DotReader) next(size int) ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	chunk, err := d.scan(size)
	if err == nil && d.left >= 0 {
		if int64(len(chunk)) > d.left {
			err = ErrTooLong
		}
		d.left -= int64(len(chunk))
	}
	if err != nil {
		d.err = err
		return nil, err
	}
	d.n += int64(len(chunk))
	return chunk, nil
}

func (d *DotReader) scan(size int) ([]byte, error) {
	if d.bol {
		if err := d.lineStart(); err != nil {
			return nil, err
		}
	}
	if err := d.l.need(1); err != nil {
		return nil, err
	}
	win := d.l.buf[d.l.pos:d.l.end]
	if len(win) > size {
		win = win[:size]
	}
	n := len(win)
	if d.cr && win[0] == '\n' {
		n = 1 // a CRLF that the buffer's edge had cut in two
	} else {
		sep := crlfDot
		if d.l.BareLF {
			sep = lfDot
		}
		if i := bytes.Index(win, sep); i >= 0 {
			n = i + len(sep) - 1
		}
	}
	chunk := win[:n]
	if chunk[n-1] == '\n' {
		if n > 1 {
			d.cr = chunk[n-2] == '\r'
		}
		d.bol = d.cr || d.l.BareLF
	}
	d.cr = chunk[n-1] == '\r'
	d.l.pos += n
	return chunk, nil
}

// lineStart takes off a stuffed dot or finds the terminating line.
func (d *DotReader) lineStart() error {
	l := d.l
	if err := l.need(1); err != nil {
		return err
	}
	d.bol = false
	if l.buf[l.pos] != '.' {
		return nil
	}
	if err := l.need(2); err != nil {
		return err
	}
	if c := l.buf[l.pos+1]; c == '\n' && l.BareLF {
		return d.end(2)
	} else if c == '\r' {
		if err := l.need(3); err != nil {
			return err
		}
		if l.buf[l.pos+2] == '\n' {
			return d.end(3)
		}
	}
	l.pos++
	d.cr = false
	return nil
}

func (d *DotReader) end(n int) error {
	d.l.pos += n
	d.ended = true
	return io.EOF
}
