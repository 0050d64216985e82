package pop3server

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of <linux/tcp.h>.
const tcpUserTimeout = 0x12

// watchPeer makes the kernel notice within timeout that the other end is gone, both while nothing is sent and while
// octets wait for their acknowledgement.
func watchPeer(nc net.Conn, timeout time.Duration) error {
	if err := keepAlive(nc, timeout); err != nil {
		return err
	}
	sc, ok := nc.(syscall.Conn)
	if !ok || nc.RemoteAddr().Network() != "tcp" {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		optErr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(timeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return optErr
}

// queued returns how many octets wait in the kernel to be sent or acknowledged.
func (c *Conn) queued() (octets int, ok bool) {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var n int32
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	return int(n), err == nil && errno == 0
}
