package pop3server

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// TestWatchPeer looks at what the kernel was told: a peer that is gone is found out in about PeerTimeout, idle or not.
func TestWatchPeer(t *testing.T) { // S-018
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if err := watchPeer(nc, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	checkPeerOptions(t, nc)
	// Connections that are not TCP have nothing to set.
	client, server := net.Pipe()
	defer func() { _, _ = client.Close(), server.Close() }()
	if err := watchPeer(client, 30*time.Second); err != nil {
		t.Error(err)
	}
	// Nor has a socket whose other end is not known, such as one that was inherited and is not connected any more.
	if err := watchPeer(nowhere{nc.(*net.TCPConn)}, 30*time.Second); err != nil {
		t.Error(err)
	}
}

type nowhere struct{ *net.TCPConn }

func (nowhere) RemoteAddr() net.Addr { return nil }

// checkPeerOptions looks at the options for 30 seconds.
func checkPeerOptions(t *testing.T, nc net.Conn) {
	t.Helper()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct {
		name         string
		level, which int
		want         int
	}{
		{"SO_KEEPALIVE", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 10},
		{"TCP_KEEPINTVL", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 5},
		{"TCP_KEEPCNT", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4},
		{"TCP_USER_TIMEOUT", syscall.IPPROTO_TCP, tcpUserTimeout, 30_000},
	} {
		if err := raw.Control(func(fd uintptr) {
			got, err := syscall.GetsockoptInt(int(fd), o.level, o.which)
			if err != nil || got != o.want {
				t.Errorf("%s is %d, %v, want %d", o.name, got, err, o.want)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatchListener: connections have the options whether they come from their listener or not, and are left alone if
// they do.
func TestWatchListener(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		lc      net.ListenConfig
		inherit bool
	}{
		{"left to us", net.ListenConfig{KeepAlive: -1}, true},
		{"net sets its own", net.ListenConfig{}, false},
	} {
		tt.lc.SetMultipathTCP(false) // its listeners do not take all options
		ln, err := tt.lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peers := watchPeers(ln, 30*time.Second)
		for range 2 {
			client, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			nc, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if err := peers.watch(nc); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			checkPeerOptions(t, nc)
			_, _ = client.Close(), nc.Close()
		}
		if !peers.listener || peers.inherit != tt.inherit {
			t.Errorf("%s: listener %v, inherit %v", tt.name, peers.listener, peers.inherit)
		}
		_ = ln.Close()
	}
	if off := watchPeers(nil, -1); off.watch(nil) != nil {
		t.Error("a negative PeerTimeout does something")
	}
}

// TestWatchMultipath: over Multipath TCP, of which the kernel does not take all options, there is a session all the same.
func TestWatchMultipath(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	lc.SetMultipathTCP(true)
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var d net.Dialer
	d.SetMultipathTCP(true)
	client, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if err := watchPeers(ln, 30*time.Second).watch(nc); err != nil {
		t.Error(err)
	}
}
