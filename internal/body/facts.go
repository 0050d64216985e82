package body

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// Facts are what there is to know of a body, fixed when it is written.
type Facts struct {
	// Octets is the size of the stored form.
	Octets int64
	// Header is the octets up to and including the first empty line; Octets, if there is none.
	Header int64
	// Wire says that no line begins with a dot, so that the stored form can go out over POP3 verbatim.
	Wire bool
	// SHA256 is the digest of the stored form.
	SHA256 [sha256.Size]byte
}

// blockSize is how much is hashed and written at once.
const blockSize = 64 << 10

// Measure reads a message in any form and returns the facts its stored form has, without storing it.
func Measure(r io.Reader) (Facts, error) {
	n := newNormalizer(io.Discard, 0)
	defer n.free()
	in := blocks.Get().(*[blockSize]byte)
	defer blocks.Put(in)
	for {
		k, err := r.Read(in[:])
		if werr := n.write(in[:k]); werr != nil {
			return Facts{}, werr
		}
		if errors.Is(err, io.EOF) {
			return n.finish()
		}
		if err != nil {
			return Facts{}, fmt.Errorf("body: reading the message: %w", err)
		}
	}
}

// blocks are buffers to share, among all bodies in progress.
var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// digests are hash states to share.
var digests = sync.Pool{New: func() any { return sha256.New() }}

// A normalizer turns octets as they came into the stored form, writes that to w in blocks, and finds the facts. It looks
// for line ends only: what lies between them goes through whole.
type normalizer struct {
	w     io.Writer
	limit int64 // most octets, 0 for any number
	buf   *[blockSize]byte
	used  int
	sum   hash.Hash

	octets int64 // given to put so far
	header int64 // set at the first empty line
	inBody bool  // the empty line was seen
	dotted bool  // a line begins with a dot
	line   int64 // octets of the unfinished line so far
	cr     bool  // the last octet so far was CR
}

func newNormalizer(w io.Writer, limit int64) normalizer {
	n := normalizer{w: w, limit: limit, buf: blocks.Get().(*[blockSize]byte), sum: digests.Get().(hash.Hash)}
	n.sum.Reset()
	return n
}

// free gives the buffers back. It may be called again.
func (n *normalizer) free() {
	if n.buf != nil {
		blocks.Put(n.buf)
		digests.Put(n.sum)
		n.buf, n.sum = nil, nil
	}
}

var (
	crlf = []byte("\r\n")
	cr   = crlf[:1]
)

// write takes octets as they came.
func (n *normalizer) write(p []byte) error {
	from := 0 // p[:from] has gone to put
	for i := 0; i < len(p); {
		if n.line == 0 && p[i] == '.' {
			n.dotted = true
		}
		j := bytes.IndexByte(p[i:], '\n')
		if j < 0 {
			n.line += int64(len(p) - i)
			n.cr = p[len(p)-1] == '\r'
			break
		}
		if j > 0 {
			n.line += int64(j)
			n.cr = p[i+j-1] == '\r'
		}
		j += i
		if !n.cr {
			if err := n.put(p[from:j]); err != nil {
				return err
			}
			if err := n.put(cr); err != nil {
				return err
			}
			from = j
		}
		if empty := n.line == 0 || n.line == 1 && n.cr; empty && !n.inBody {
			n.inBody = true
			n.header = n.octets + int64(j+1-from)
		}
		n.line, n.cr = 0, false
		i = j + 1
	}
	return n.put(p[from:])
}

// finish adds a missing last line end, writes what is left and returns the facts.
func (n *normalizer) finish() (Facts, error) {
	if err := n.endLine(); err != nil {
		return Facts{}, err
	}
	if err := n.flush(); err != nil {
		return Facts{}, err
	}
	return n.facts(), nil
}

// endLine adds a missing last line end.
func (n *normalizer) endLine() error {
	if n.line == 0 {
		return nil
	}
	return n.put(crlf)
}

// rest returns what was not written to w, instead of writing it. It is valid until free.
func (n *normalizer) rest() []byte {
	p := n.buf[:n.used]
	n.sum.Write(p)
	n.used = 0
	return p
}

// facts returns the facts after the end.
func (n *normalizer) facts() Facts {
	f := Facts{Octets: n.octets, Header: n.header, Wire: !n.dotted}
	if !n.inBody {
		f.Header = n.octets
	}
	n.sum.Sum(f.SHA256[:0])
	return f
}

// put takes octets of the stored form. Large pieces are written through, small ones are gathered.
func (n *normalizer) put(p []byte) error {
	n.octets += int64(len(p))
	if n.limit > 0 && n.octets > n.limit {
		return fmt.Errorf("%w: it has more than %d octets", ErrTooLarge, n.limit)
	}
	for len(p) > 0 {
		if n.used == 0 && len(p) >= blockSize {
			if err := n.out(p[:blockSize]); err != nil {
				return err
			}
			p = p[blockSize:]
			continue
		}
		k := copy(n.buf[n.used:], p)
		n.used += k
		p = p[k:]
		if n.used == blockSize {
			if err := n.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *normalizer) flush() error {
	if n.used == 0 {
		return nil
	}
	p := n.buf[:n.used]
	n.used = 0
	return n.out(p)
}

func (n *normalizer) out(p []byte) error {
	n.sum.Write(p)
	_, err := n.w.Write(p)
	return err
}
