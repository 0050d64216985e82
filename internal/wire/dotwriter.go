package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrUnfinishedLine: content that was promised to end with CRLF does not.
var ErrUnfinishedLine = errors.New("wire: last line has no end")

// A Form says what a DotWriter is given.
type Form uint8

const (
	// Text has any line ends: a bare LF becomes CRLF, a bare CR stays an octet like any other, a missing last line end
	// is added.
	Text Form = iota
	// CRLF has CRLF line ends throughout, and is only byte-stuffed.
	CRLF
	// Verbatim has CRLF line ends and no line that begins with a dot, and goes out as it is.
	Verbatim
)

var (
	dot        = []byte(".")
	crlf       = []byte("\r\n")
	terminator = []byte(".\r\n")
)

// A DotWriter writes the body of one multi-line response. It passes on whole blocks to the writer under it, which should
// be buffered: one call for each dot added, not for each octet or line.
type DotWriter struct {
	w    io.Writer
	form Form
	n    int64
	nl   bool // nothing came yet, or the last octet was LF
	cr   bool // the last octet was CR
	crlf bool // nothing came yet, or the last two octets were CRLF
}

// NewDotWriter returns a DotWriter over w for content of the given form.
func NewDotWriter(w io.Writer, form Form) *DotWriter {
	d := new(DotWriter)
	d.Reset(w, form)
	return d
}

// Reset makes d a new DotWriter over w.
func (d *DotWriter) Reset(w io.Writer, form Form) {
	*d = DotWriter{w: w, form: form, nl: true, crlf: true}
}

// Octets returns the octets of the message so far, line ends counted as CRLF, before byte-stuffing: what LIST must show
// once the body is complete.
func (d *DotWriter) Octets() int64 { return d.n }

// Write implements io.Writer.
func (d *DotWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var err error
	switch d.form {
	case Text:
		err = d.writeText(p)
	case CRLF:
		err = d.writeCRLF(p)
	default:
		err = d.emit(p)
	}
	if err != nil {
		return 0, err
	}
	d.track(p)
	return len(p), nil
}

// Finish completes the last line, where it must (Text) or where the promise of the other forms was broken, and reports
// whether that promise was kept. It does not write the terminating line.
func (d *DotWriter) Finish() (kept bool, err error) {
	switch {
	case d.crlf, d.form == Text && d.nl:
		return true, nil
	case d.form == Text:
		err = d.emit(crlf)
		d.nl, d.cr, d.crlf = true, false, true
		return true, err
	}
	return false, nil
}

// Close finishes the body and writes the terminating line. Content that does not end with CRLF is ErrUnfinishedLine for
// the forms that promise it: the terminating line is then not written, for it would not be one.
func (d *DotWriter) Close() error {
	kept, err := d.Finish()
	if err != nil {
		return err
	}
	if !kept {
		return ErrUnfinishedLine
	}
	_, err = d.w.Write(terminator)
	return err
}

// emit passes on octets of the message.
func (d *DotWriter) emit(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := d.w.Write(p)
	d.n += int64(n)
	return err
}

// stuff writes a dot that is not part of the message.
func (d *DotWriter) stuff() error {
	_, err := d.w.Write(dot)
	return err
}

// track notes how p ended.
func (d *DotWriter) track(p []byte) {
	last := len(p) - 1
	d.nl = p[last] == '\n'
	before := d.cr
	if last > 0 {
		before = p[last-1] == '\r'
	}
	d.crlf = d.nl && before
	d.cr = p[last] == '\r'
}

// writeCRLF stuffs p. A dot after a bare LF, which ought not to be there, is stuffed as well: no reader of either habit
// can then take it for the end.
func (d *DotWriter) writeCRLF(p []byte) error {
	if d.nl && p[0] == '.' {
		if err := d.stuff(); err != nil {
			return err
		}
	}
	done := 0 // p[:done] is written
	for at := 1; at < len(p); at++ {
		// Looking for dots and not for lines: there are fewer, and none at all in an attachment (base64).
		i := bytes.IndexByte(p[at:], '.')
		if i < 0 {
			break
		}
		at += i
		if p[at-1] != '\n' {
			continue
		}
		if err := d.emit(p[done:at]); err != nil {
			return err
		}
		if err := d.stuff(); err != nil {
			return err
		}
		done = at
	}
	return d.emit(p[done:])
}

// writeText makes line ends CRLF and stuffs p.
func (d *DotWriter) writeText(p []byte) error {
	if d.nl && p[0] == '.' {
		if err := d.stuff(); err != nil {
			return err
		}
	}
	done := 0 // p[:done] is written
	for at := 0; at < len(p); {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		if i > 0 && p[i-1] != '\r' || i == 0 && !d.cr {
			if err := d.emit(p[done:i]); err != nil {
				return err
			}
			if err := d.emit(crlf); err != nil {
				return err
			}
			done = at
		}
		if at < len(p) && p[at] == '.' {
			if err := d.emit(p[done:at]); err != nil {
				return err
			}
			if err := d.stuff(); err != nil {
				return err
			}
			done = at
		}
	}
	return d.emit(p[done:])
}
