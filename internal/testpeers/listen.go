package testpeers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
)

// Listen is a server of the test's own, on loopback: it hands each connection to serve, one after the other, and closes it
// then. It ends with the test, and the test waits for it.
func Listen(tb testing.TB, serve func(net.Conn)) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	tb.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// OwnLoopback returns an address on loopback, without a port, that nobody else is likely to have. A test that wants to see
// its port closed listens there: a port of 127.0.0.1 is anybody's once it is given back.
func OwnLoopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// Unanswered returns a port of 127.0.0.1 at which nobody listens until the end of the test: connections to it are refused.
func Unanswered(tb testing.TB) (port int) {
	tb.Helper()
	port, err := keepPort(tb, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// keepPort takes a port of 127.0.0.1 that nobody has, 0 for any, until the end of the test, and does not listen. The kernel
// then gives it to nobody who asks for any port, and keepPort of other processes does not get it; a server that sets
// SO_REUSEADDR, as they all do, can listen at it.
func keepPort(tb testing.TB, port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return 0, os.NewSyscallError("bind", err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	// Only now: with it, bind would succeed beside another one that is kept.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}
