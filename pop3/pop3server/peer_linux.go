package pop3server

import (
	"errors"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of <linux/tcp.h>.
const tcpUserTimeout = 0x12

// A sockopt is one option of a socket.
type sockopt struct{ level, name, value int }

// peerOptions make the kernel notice within timeout that the other end is gone, both while nothing is sent and while
// octets wait for their acknowledgement.
func peerOptions(timeout time.Duration) [5]sockopt {
	seconds := func(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
	idle, interval, count := probes(timeout)
	return [...]sockopt{
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, seconds(idle)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, seconds(interval)},
		{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, count},
		{syscall.IPPROTO_TCP, tcpUserTimeout, int(timeout.Milliseconds())},
	}
}

// eachPeerOption calls do for each option of a TCP socket until it fails. Other sockets have nothing to set.
func eachPeerOption(socket any, addr net.Addr, timeout time.Duration, do func(fd int, o sockopt) error) (tcp bool, err error) {
	sc, ok := socket.(syscall.Conn)
	if !ok || addr == nil || addr.Network() != "tcp" {
		return false, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true, err
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		for _, o := range peerOptions(timeout) {
			if optErr = do(int(fd), o); optErr != nil {
				return
			}
		}
	})
	return true, errors.Join(err, optErr)
}

func set(fd int, o sockopt) error { return syscall.SetsockoptInt(fd, o.level, o.name, o.value) }

var errOtherValue = errors.New("pop3server: the socket has another value")

func compare(fd int, o sockopt) error {
	v, err := syscall.GetsockoptInt(fd, o.level, o.name)
	if err == nil && v != o.value {
		err = errOtherValue
	}
	return err
}

// watchPeer sets the options of a connection. Over Multipath TCP the kernel does not have all of them.
func watchPeer(nc net.Conn, timeout time.Duration) error {
	_, err := eachPeerOption(nc, nc.RemoteAddr(), timeout, func(fd int, o sockopt) error {
		err := set(fd, o)
		if err == syscall.ENOPROTOOPT {
			err = nil
		}
		return err
	})
	return err
}

// watchListener sets the options of a listener, and reports whether that is any use.
func watchListener(ln net.Listener, timeout time.Duration) bool {
	tcp, err := eachPeerOption(ln, ln.Addr(), timeout, set)
	return tcp && err == nil
}

// isWatched reports whether a connection has the options already.
func isWatched(nc net.Conn, timeout time.Duration) bool {
	tcp, err := eachPeerOption(nc, nc.RemoteAddr(), timeout, compare)
	return tcp && err == nil
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
