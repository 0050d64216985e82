package mailfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// A lineForm is what a lineFilter does to lines.
type lineForm struct {
	quote   bool // put one more ">" before "From ", ">From " and so on (mboxrd)
	unquote bool // take one ">" away before "From "
	lf      bool // make CRLF to LF, unless another CR stands before it
}

// A lineFilter reads a message and changes its lines. It holds a part of one line.
type lineFilter struct {
	form lineForm
	br   *bufio.Reader
	out  [2][]byte // to be read next

	started bool // the scan is past the ">" at the start of a line
	held    bool // unquote: one ">" of them was not given out
	last    byte // the last octet of the part before
}

// newLineFilter returns a filter of r, which is said to have so many octets: a small one needs no large buffer.
func newLineFilter(r io.Reader, form lineForm, octets int64) *lineFilter {
	return &lineFilter{form: form, br: bufio.NewReaderSize(r, int(min(octets, lineBuffer)))}
}

func (f *lineFilter) Read(p []byte) (int, error) {
	for len(f.out[0]) == 0 {
		if f.out[0], f.out[1] = f.out[1], nil; len(f.out[0]) > 0 {
			break
		}
		if err := f.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.out[0])
	f.out[0] = f.out[0][n:]
	return n, nil
}

var (
	quoteMark = []byte(">")
	fromWord  = []byte("From ")
	lineFeed  = []byte("\n")
)

// step puts the next part of the message into out. It may be empty.
func (f *lineFilter) step() error {
	if !f.started && (f.form.quote || f.form.unquote) {
		return f.startLine()
	}
	part, err := f.br.ReadSlice('\n')
	cut := errors.Is(err, bufio.ErrBufferFull)
	if len(part) == 0 || err != nil && !cut && !errors.Is(err, io.EOF) {
		return err
	}
	if n := len(part); cut && n > 1 && part[n-1] == '\r' {
		// It may belong to a CRLF: it comes with the next part.
		if err := f.br.UnreadByte(); err != nil {
			return err
		}
		part = part[:n-1]
	}
	f.started = part[len(part)-1] != '\n'
	f.out[0] = part
	if n := len(part); f.form.lf && n >= 2 && part[n-2] == '\r' && part[n-1] == '\n' {
		before := f.last
		if n >= 3 {
			before = part[n-3]
		}
		if before != '\r' {
			f.out[0], f.out[1] = part[:n-2], lineFeed
		}
	}
	f.last = part[len(part)-1]
	return nil
}

// startLine goes one octet further in the ">" at the start of a line, or notices their end.
func (f *lineFilter) startLine() error {
	p, err := f.br.Peek(len(fromWord))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(p) > 0 && p[0] == '>':
		if _, err := f.br.Discard(1); err != nil {
			return err
		}
		if f.form.quote || f.held {
			f.out[0] = quoteMark
		}
		f.held = f.form.unquote
		return nil
	case f.form.quote && bytes.Equal(p, fromWord), f.held && !bytes.Equal(p, fromWord):
		f.out[0] = quoteMark
	case len(p) == 0:
		return err
	}
	f.started, f.held, f.last = true, false, 0
	return nil
}
