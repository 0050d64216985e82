//go:build !linux

package pop3server

import (
	"net"
	"time"
)

// watchPeer makes the kernel notice within timeout that the other end is gone, at least while nothing is sent.
func watchPeer(nc net.Conn, timeout time.Duration) error { return keepAlive(nc, timeout) }

// queued cannot be asked in the same way everywhere.
func (c *Conn) queued() (octets int, ok bool) { return 0, false }
