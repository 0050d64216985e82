//go:build !linux

package pop3server

import (
	"net"
	"time"
)

// watchPeer makes the kernel notice within timeout that the other end is gone, at least while nothing is sent.
func watchPeer(nc net.Conn, timeout time.Duration) error {
	ka, ok := nc.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	})
	if !ok {
		return nil
	}
	idle, interval, count := probes(timeout)
	return ka.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: count})
}

// watchListener and isWatched are for systems on which connections have the options of their listener.
func watchListener(net.Listener, time.Duration) bool { return false }
func isWatched(net.Conn, time.Duration) bool         { return false }

// queued cannot be asked in the same way everywhere.
func (c *Conn) queued() (octets int, ok bool) { return 0, false }
