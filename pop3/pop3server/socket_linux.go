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
	s.in.try, s.out.try = s.in.once, s.out.once
	return s
}

// maxDirect is the longest direct write, in octets. A longer one takes the kernel long enough for Go to have to know.
const maxDirect = 16 << 10

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.in.call, s.in.p = readSocket, p
	n, err := s.in.end("read", s.raw.Read(s.in.try))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// wait waits until there is something to read, be it an error, or the deadline for reading is over.
func (s *socket) wait() {
	s.in.call, s.in.p = pollSocket, nil
	_, _ = s.in.end("ppoll", s.raw.Read(s.in.try)) // Read meets the error
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (done int, err error) {
	if len(p) > maxDirect {
		return s.TCPConn.Write(p)
	}
	for done < len(p) && err == nil {
		s.out.call, s.out.p = writeSocket, p[done:]
		var n int
		n, err = s.out.end("write", s.raw.Write(s.out.try))
		done += n
	}
	return done, err
}

// A transfer is a read or a write of a socket.
type transfer struct {
	call func(fd uintptr, p []byte) (int, syscall.Errno)
	try  func(fd uintptr) bool // once; kept, so that it is not allocated for each
	p    []byte
	n    int
	err  syscall.Errno
}

// once makes the system call. It returns false if the socket is not ready for it.
func (t *transfer) once(fd uintptr) bool {
	t.err = syscall.EINTR
	for t.err == syscall.EINTR {
		t.n, t.err = t.call(fd, t.p)
	}
	return t.err != syscall.EAGAIN
}

// end returns how the call ended after waiting for the socket ended with err.
func (t *transfer) end(name string, err error) (int, error) {
	t.p = nil
	switch {
	case err != nil:
		return 0, err
	case t.err != 0:
		return 0, os.NewSyscallError(name, t.err)
	}
	return t.n, nil
}

// A pollfd is struct pollfd of <poll.h>.
type pollfd struct {
	fd              int32
	events, revents int16
}

// pollSocket asks, without waiting, whether there is something to read. Peeking would take away the error of a connection that
// broke, which a socket tells once.
func pollSocket(fd uintptr, _ []byte) (int, syscall.Errno) {
	ask := pollfd{fd: int32(fd), events: syscall.EPOLLIN} // the value of POLLIN
	var atOnce syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&ask)), 1, uintptr(unsafe.Pointer(&atOnce)), 0, 0, 0)
	if n == 0 {
		errno = syscall.EAGAIN
	}
	return int(n), errno
}
