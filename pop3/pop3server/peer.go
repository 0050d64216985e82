package pop3server

import (
	"net"
	"time"
)

// keepAlive has the kernel probe an idle connection: first after a third of timeout, then four times in the rest.
func keepAlive(nc net.Conn, timeout time.Duration) error {
	ka, ok := nc.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	})
	if !ok {
		return nil
	}
	timeout = max(timeout, 6*time.Second)
	return ka.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: timeout / 3, Interval: timeout / 6, Count: 4})
}
