package pop3server

import (
	"net"
	"syscall"
	"time"
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
