//go:build !race

package pop3server

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// A socket is a TCP connection whose reads and short writes leave out what Go does around a system call that may block.
// These cannot: the socket is not in blocking mode. A command of POP3 is so little work that Go's thread that looks for
// blocked calls is woken for nearly each, and finds nothing: a tenth of the CPU of a poll.
type socket struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer
}

// direct returns nc, with such reads and writes if it is a TCP connection. There may be one of either at a time.
func direct(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	s := &socket{TCPConn: tcp, raw: raw}
	s.in.init("read", syscall.SYS_READ)
	s.out.init("write", syscall.SYS_WRITE)
	return s
}

// maxDirect is the longest direct write, in octets. A longer one takes the kernel long enough for Go to have to know.
const maxDirect = 16 << 10

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.in.p = p
	n, err := s.in.end(s.raw.Read(s.in.try))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (done int, err error) {
	if len(p) > maxDirect {
		return s.TCPConn.Write(p)
	}
	for done < len(p) && err == nil {
		s.out.p = p[done:]
		var n int
		n, err = s.out.end(s.raw.Write(s.out.try))
		done += n
	}
	return done, err
}

// A transfer is the reads or the writes of a socket, one at a time.
type transfer struct {
	name string
	call uintptr
	try  func(fd uintptr) bool // kept, so that it is not allocated for each
	p    []byte
	n    int
	err  syscall.Errno
}

func (t *transfer) init(name string, call uintptr) {
	t.name, t.call, t.try = name, call, t.once
}

// once makes the system call. It returns false if the socket is not ready for it.
func (t *transfer) once(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(t.call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)))
		switch errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		case 0:
			t.n, t.err = int(n), 0
			return true
		default:
			t.n, t.err = 0, errno
			return true
		}
	}
}

// end returns how the call ended after waiting for the socket ended with err.
func (t *transfer) end(err error) (int, error) {
	t.p = nil
	switch {
	case err != nil:
		return 0, err
	case t.err != 0:
		return 0, os.NewSyscallError(t.name, t.err)
	}
	return t.n, nil
}
