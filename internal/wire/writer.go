package wire

import (
	"io"
	"sync"
)

// BufferSize is the size of a Writer's buffer, and of the buffers that GetBuffer gives.
const BufferSize = 64 << 10

// A Buffer is one of a pool, for a moment's use: an idle connection holds none.
type Buffer [BufferSize]byte

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// GetBuffer takes a Buffer from the pool.
func GetBuffer() *Buffer { return buffers.Get().(*Buffer) }

// PutBuffer gives it back.
func PutBuffer(b *Buffer) {
	if b != nil {
		buffers.Put(b)
	}
}

// A Writer buffers replies. It takes its buffer from a pool at the first octet and gives it back at Flush, so an idle
// connection holds none. After an error everything is thrown away and the error is returned again and again.
type Writer struct {
	w   io.Writer
	buf *Buffer
	n   int
	err error
}

// NewWriter returns a Writer over w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Reset makes the Writer write to another writer; what is buffered is thrown away.
func (w *Writer) Reset(to io.Writer) {
	w.release()
	w.w, w.err = to, nil
}

// Buffered returns the octets not yet flushed.
func (w *Writer) Buffered() int { return w.n }

// Err returns the error that a write met.
func (w *Writer) Err() error { return w.err }

// Reserve returns an empty slice with room for at least n octets of at most BufferSize, to be appended to and given to
// Commit. It flushes if it must; after an error what is committed goes nowhere.
func (w *Writer) Reserve(n int) []byte {
	if w.buf == nil {
		w.buf = GetBuffer()
	}
	if BufferSize-w.n < n {
		w.drain()
	}
	return w.buf[w.n:w.n:BufferSize]
}

// Commit adds what was appended to the slice that Reserve returned.
func (w *Writer) Commit(b []byte) {
	if w.n+len(b) > BufferSize {
		panic("wire: more committed than reserved")
	}
	w.n += len(b)
}

// OK adds a positive status line.
func (w *Writer) OK(text string) { w.Commit(AppendOK(w.Reserve(MaxStatus), text)) }

// Fail adds a negative status line.
func (w *Writer) Fail(code, text string) { w.Commit(AppendErr(w.Reserve(MaxStatus), code, text)) }

// End adds the line that ends a multi-line response.
func (w *Writer) End() { w.Commit(append(w.Reserve(len(terminator)), terminator...)) }

// Write implements io.Writer. Octets beyond a full buffer go out in writes of BufferSize or more.
func (w *Writer) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 && w.err == nil {
		if w.n == 0 && len(p) >= BufferSize {
			w.send(p)
			break
		}
		if w.buf == nil {
			w.buf = GetBuffer()
		}
		n := copy(w.buf[w.n:], p)
		w.n += n
		p = p[n:]
		if w.n == BufferSize {
			w.drain()
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return written, nil
}

// Flush sends what is buffered and gives the buffer back.
func (w *Writer) Flush() error {
	w.drain()
	w.release()
	return w.err
}

func (w *Writer) drain() {
	if w.n > 0 {
		w.send(w.buf[:w.n])
		w.n = 0
	}
}

func (w *Writer) send(p []byte) {
	if w.err != nil {
		return
	}
	_, w.err = w.w.Write(p)
}

func (w *Writer) release() {
	PutBuffer(w.buf)
	w.buf, w.n = nil, 0
}
