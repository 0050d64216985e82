package pop3server

import (
	"net"
	"sync"
	"time"
)

// A peerWatch makes the kernel notice that the other end is gone, see Options.PeerTimeout. On Linux the connections that
// a listener accepts have the listener's options, so they are set once and not five for each connection. Some listeners
// set their own on what they accept (net.ListenConfig.KeepAlive), so the first connection is looked at.
type peerWatch struct {
	timeout  time.Duration
	listener bool // has the options
	first    sync.Once
	inherit  bool // connections have them, too
}

// watchPeers is for the connections of ln, nil if there is none.
func watchPeers(ln net.Listener, timeout time.Duration) *peerWatch {
	return &peerWatch{timeout: timeout, listener: timeout > 0 && ln != nil && watchListener(ln, timeout)}
}

// watch is called with each connection.
func (w *peerWatch) watch(nc net.Conn) error {
	if w.timeout <= 0 {
		return nil
	}
	if w.listener {
		w.first.Do(func() { w.inherit = isWatched(nc, w.timeout) })
		if w.inherit {
			return nil
		}
	}
	return watchPeer(nc, w.timeout)
}

// probes says when an idle connection is probed: first after idle, then count times, so that it is cut after timeout.
func probes(timeout time.Duration) (idle, interval time.Duration, count int) {
	timeout = max(timeout, 6*time.Second)
	return timeout / 3, timeout / 6, 4
}
