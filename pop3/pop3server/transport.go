package pop3server

import (
	"errors"
	"io"
	"net"
	"time"
)

// errTooMuch: the client sent too much before it signed in.
var errTooMuch = errors.New("pop3server: too many octets before sign-in")

// A source reads what the client sends, and counts it.
type source struct {
	c      *Conn
	stream io.Reader
	n      int64
}

func (s *source) Read(p []byte) (int, error) {
	if !s.c.signedIn() && over(s.n, s.c.s.opt.MaxPreAuthOctets) {
		return 0, errTooMuch
	}
	n, err := s.stream.Read(p)
	s.n += int64(n)
	return n, err
}

// slice is how much of a reply has one deadline.
const slice = 256 << 10

// A sink writes to the client and counts, slice by slice, each with its own deadline, so that a slow client lives and one
// that stands still does not.
type sink struct {
	stream  net.Conn
	secure  bool // stream is TLS, which has patience below it
	n       int64
	part    io.LimitedReader
	writing deadline
	patience
}

// arm gives the client time for the next slice.
func (s *sink) arm() error {
	if at, ok := s.writing.extend(time.Now(), s.timeout); ok {
		return s.stream.SetWriteDeadline(at)
	}
	return nil
}

func (s *sink) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := s.arm(); err != nil {
			return done, err
		}
		n, err := s.stream.Write(p[done:min(len(p), done+slice)])
		done += n
		s.n += int64(n)
		if slow := s.goOn(int64(n), err); err != nil && (s.secure || !slow) {
			return done, err
		}
	}
	return done, nil
}

// copies reports whether the stream can take octets from a file by itself.
func (s *sink) copies() bool {
	_, ok := s.stream.(io.ReaderFrom)
	return ok
}

// copyFrom hands size octets of r to a stream that copies. The stream gets an *io.LimitedReader straight over the file:
// the form in which net.TCPConn uses sendfile.
func (s *sink) copyFrom(r io.ReadSeeker, size int64) (done int64, err error) {
	to := s.stream.(io.ReaderFrom)
	defer func() { s.part.R = nil }()
	begin, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	for done < size {
		if err := s.arm(); err != nil {
			return done, err
		}
		s.part = io.LimitedReader{R: r, N: min(slice, size-done)}
		n, err := to.ReadFrom(&s.part)
		done += n
		s.n += n
		switch slow := s.goOn(n, err); {
		case slow:
			// A stream that copies by itself may have read more than it has sent.
			if _, err := r.Seek(begin+done, io.SeekStart); err != nil {
				return done, err
			}
		case n == 0 || err != nil:
			return done, err
		}
	}
	return done, nil
}

// linger reads on for a moment after the last reply, for octets that nobody read would make the kernel reset the
// connection and lose the reply on its way.
func (c *Conn) linger() {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok && cw.CloseWrite() == nil {
		_ = c.nc.SetReadDeadline(time.Now().Add(refusalWindow))
		_, _ = io.CopyN(io.Discard, c.nc, 1<<20)
	}
}
