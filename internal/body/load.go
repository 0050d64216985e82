package body

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// MaxLoad is more octets than a body can have that Load reads.
const MaxLoad = blockSize

// ErrSize says that a body has not the size that was told. Of one that is alone Open says which one it has.
var ErrSize = errors.New("body: it is not of the size that was expected")

// A Loaded is a small body in memory, at its start. Reading it cannot fail; what it holds is valid until Close, which
// makes room for the next one and may be called again. It is used by one goroutine.
type Loaded struct {
	bytes.Reader
	block *[blockSize]byte // nil after Close
}

// Close gives the memory back.
func (l *Loaded) Close() error {
	if l.block != nil {
		l.Reset(nil)
		blocks.Put(l.block)
		l.block = nil
	}
	return nil
}

// Load reads a small body: three system calls where a file that is opened to be read later takes six, most of which cost
// as much as reading some KiB.
func (d *Disk) Load(ctx context.Context, id ID, octets int64) (*Loaded, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if octets < 0 || octets >= MaxLoad {
		return nil, ErrSize
	}
	var l *Loaded
	var err error
	if id.Bundled() {
		l, err = d.readBundled(id, octets)
	} else {
		l, err = d.read(id, octets+1) // one more would show that it is longer
	}
	if err == nil && l.Size() != octets {
		_ = l.Close()
		return nil, fmt.Errorf("body: reading %s: %w", id, ErrSize)
	}
	return l, err
}

// readBundled reads a body from its bundle, or the part of it that is there.
func (d *Disk) readBundled(id ID, octets int64) (*Loaded, error) {
	if octets < 0 || octets >= MaxLoad {
		return nil, fmt.Errorf("body: reading %s: %w", id, ErrSize)
	}
	l, err := d.read(id, octets)
	if err != nil {
		return nil, err
	}
	if err := checkEnd(l.block[:l.Size()], octets); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("body: reading %s: %w", id, err)
	}
	return l, nil
}

var errReleased = fmt.Errorf("its room was given back: %w", fs.ErrNotExist)

// checkEnd looks at the end of a body from a bundle. Every such body ends with CRLF, and Release begins at the end: whoever
// sees another octet there than NUL has read what is before it in time. Any other end is that of another line or body: the
// size is wrong. Less than there ought to be is for the caller to see.
func checkEnd(p []byte, octets int64) error {
	switch {
	case int64(len(p)) < octets || bytes.HasSuffix(p, crlf):
		return nil
	case octets > 0 && p[octets-1] == 0:
		return errReleased
	}
	return ErrSize
}

// read reads so many octets from where the body begins, or as many as there are.
func (d *Disk) read(id ID, octets int64) (*Loaded, error) {
	block := blocks.Get().(*[blockSize]byte)
	n, err := d.fs.ReadFile(id.path(), block[:octets], id.at())
	if err != nil {
		blocks.Put(block)
		return nil, fmt.Errorf("body: reading %s: %w", id, err)
	}
	l := &Loaded{block: block}
	l.Reset(block[:n])
	return l, nil
}
