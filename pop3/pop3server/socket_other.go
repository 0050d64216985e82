//go:build !linux

package pop3server

import "net"

// A socket has direct reads and writes, on Linux.
type socket struct{ net.Conn }

func direct(nc net.Conn) net.Conn { return nc }

func (*socket) wait() {}
