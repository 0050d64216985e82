//go:build race

package pop3server

import "syscall"

// The race detector takes reads and writes for a way to synchronize, but it knows those of the package syscall only.

func readSocket(fd uintptr, p []byte) (int, syscall.Errno) { return result(syscall.Read(int(fd), p)) }

func writeSocket(fd uintptr, p []byte) (int, syscall.Errno) { return result(syscall.Write(int(fd), p)) }

func result(n int, err error) (int, syscall.Errno) {
	errno, _ := err.(syscall.Errno)
	return n, errno
}
