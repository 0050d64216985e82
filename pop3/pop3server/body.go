package pop3server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
)

// maxInline is the largest body that is read whole before the reply begins, so that the reply is one write and a fault
// of the disk is an -ERR and not a cut connection.
const maxInline = wire.BufferSize - 64

var (
	errShortBody  = errors.New("pop3server: message has fewer octets than LIST shows")
	errBrokenForm = errors.New("pop3server: message does not end with CRLF, as its Form promises")
	lineEnd       = []byte("\r\n")
)

// form returns how a body is to be treated.
func (c *Conn) form(b Body) wire.Form {
	switch {
	case b.Form == FormWire && !c.s.opt.VerifyWire:
		return wire.Verbatim
	case b.Form == FormWire, b.Form == FormCRLF:
		return wire.CRLF
	}
	return wire.Text
}

// damaged is the reply for a message that is not what its backend says. It is for an operator to mend.
func damaged(err error) error {
	return &pop3.Error{Code: pop3.CodeSysPerm, Text: "the message is damaged", Err: err}
}

// sendWhole sends the response to RETR and closes body. An error that is no *endError means that nothing was sent yet.
func (c *Conn) sendWhole(body Body, size int64) error {
	defer func() { _ = body.R.Close() }()
	form := c.form(body)
	if form != wire.Text && body.Size != size {
		return damaged(fmt.Errorf("pop3server: LIST shows %d octets, the message has %d", size, body.Size))
	}
	switch {
	case form != wire.Verbatim:
		return c.sendStuffed(body, form, size)
	case size <= maxInline:
		return c.sendInline(body, int(size))
	}
	return c.sendVerbatim(body, size)
}

// sendInline sends a small message that needs no stuffing, straight from the file into the buffer of replies.
func (c *Conn) sendInline(body Body, size int) error {
	b := appendRetr(c.w.Reserve(wire.BufferSize-maxInline+size), int64(size))
	at := len(b)
	b = b[:at+size]
	if _, err := io.ReadFull(body.R, b[at:]); err != nil {
		return unreadable(err)
	}
	if size > 0 && !bytes.HasSuffix(b[at:], lineEnd) {
		return damaged(errBrokenForm)
	}
	c.w.Commit(append(b, ".\r\n"...))
	return nil
}

// unreadable is a fault of reading a message.
func unreadable(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(errShortBody)
	}
	return fmt.Errorf("pop3server: cannot read message: %w", err)
}

// sendVerbatim sends a large message that needs no stuffing. A file goes to a socket without passing through here.
func (c *Conn) sendVerbatim(body Body, size int64) error {
	file, isFile := body.R.(*os.File)
	if isFile {
		var tail [2]byte
		if _, err := file.ReadAt(tail[:], size-int64(len(tail))); err != nil {
			return unreadable(err)
		}
		if !bytes.Equal(tail[:], lineEnd) {
			return damaged(errBrokenForm)
		}
	}
	c.w.Commit(appendRetr(c.w.Reserve(pop3.MaxStatus), size))
	var err error
	if isFile && c.out.copies() {
		if err := c.flush(); err != nil {
			return err
		}
		err = c.copyFile(file, size)
	} else {
		err = c.copyBlocks(body.R, size)
	}
	if err != nil {
		return err
	}
	c.w.End()
	return nil
}

// copyFile has the kernel copy.
func (c *Conn) copyFile(file *os.File, size int64) error {
	n, err := c.out.copyFrom(file, size)
	switch {
	case n == size:
		return nil
	case err == nil:
		return end(ReasonFault, errShortBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return end(ReasonStalled, err)
	}
	return end(ReasonClosed, err)
}

// copyBlocks reads into the buffer of replies, which goes out when it is full.
func (c *Conn) copyBlocks(r io.Reader, size int64) error {
	var tail [2]byte
	for left := size; left > 0; {
		b := c.w.Reserve(wire.BufferSize / 2)
		if c.w.Err() != nil {
			return c.flush()
		}
		n, err := io.ReadAtLeast(r, b[:min(int64(cap(b)), left)], int(min(wire.BufferSize/2, left)))
		if err != nil {
			return end(ReasonFault, unreadable(err))
		}
		c.w.Commit(b[:n])
		left -= int64(n)
		if b = b[:n]; n == 1 {
			tail[0], tail[1] = tail[1], b[0]
		} else {
			copy(tail[:], b[n-2:])
		}
	}
	if !bytes.Equal(tail[:], lineEnd) {
		return end(ReasonFault, errBrokenForm)
	}
	return nil
}

// sendStuffed sends a message that may need byte-stuffing or other line ends.
func (c *Conn) sendStuffed(body Body, form wire.Form, size int64) error {
	if m, ok := body.R.(inMemory); ok {
		return c.sendMemory(m, form, size)
	}
	buf := wire.GetBuffer()
	defer wire.PutBuffer(buf)
	left := octetsOf(body, form)
	n, last, err := readChunk(body.R, buf[:], left)
	if err != nil {
		return unreadable(err)
	}
	if last && form == wire.CRLF && int64(n) != size {
		return damaged(errShortBody)
	}
	c.beginStuffed(form, size)
	for {
		if _, err := c.dot.Write(buf[:n]); err != nil {
			return c.flush()
		}
		if last {
			break
		}
		left -= int64(n)
		if n, last, err = readChunk(body.R, buf[:], left); err != nil {
			return end(ReasonFault, unreadable(err))
		}
	}
	return c.endStuffed(size)
}

// An inMemory is a reader like bytes.Reader: nothing has to be read.
type inMemory interface {
	io.WriterTo
	Len() int // octets that are left
}

// sendMemory is sendStuffed without a buffer of its own.
func (c *Conn) sendMemory(m inMemory, form wire.Form, size int64) error {
	if form == wire.CRLF && int64(m.Len()) != size {
		return damaged(errShortBody)
	}
	c.beginStuffed(form, size)
	if _, err := m.WriteTo(&c.dot); err != nil {
		return c.flush()
	}
	return c.endStuffed(size)
}

func (c *Conn) beginStuffed(form wire.Form, size int64) {
	c.w.Commit(appendRetr(c.w.Reserve(pop3.MaxStatus), size))
	c.dot.Reset(c.w, form)
}

// endStuffed ends the body, which must have had size octets; -1 is any number.
func (c *Conn) endStuffed(size int64) error {
	kept, err := c.dot.Finish()
	switch {
	case err != nil:
		return c.flush()
	case !kept:
		return end(ReasonFault, errBrokenForm)
	case size >= 0 && c.dot.Octets() != size:
		return end(ReasonFault, fmt.Errorf("pop3server: LIST shows %d octets, the message has %d", size, c.dot.Octets()))
	}
	c.w.End()
	return nil
}

// octetsOf returns how many octets are to be read of a body. Where that is known the end need not be looked for, which
// saves a system call.
func octetsOf(body Body, form wire.Form) int64 {
	if form == wire.Text {
		return math.MaxInt64
	}
	return body.Size
}

// readChunk fills buf with what comes of at most left octets. last says that there is no more.
func readChunk(r io.Reader, buf []byte, left int64) (n int, last bool, err error) {
	n, err = io.ReadFull(r, buf[:min(int64(len(buf)), left)])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return n, true, nil
	}
	return n, int64(n) == left, err
}
