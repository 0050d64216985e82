package office

import (
	"errors"
	"net"
	"sync"
	"testing"
)

// Connections that come while one lease follows another are all accepted, each by the one or the other.
func TestLeasesHandOverWithoutLoss(t *testing.T) {
	t.Parallel()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p := &port{l: l}

	const calls, leases = 200, 20
	var accepted sync.WaitGroup
	accepted.Add(calls)
	var servers sync.WaitGroup
	serve := func() *lease {
		le := p.lease()
		servers.Go(func() {
			for {
				c, err := le.Accept()
				if err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Errorf("Accept: %v, want net.ErrClosed", err)
					}
					return
				}
				if _, bare := c.(*net.TCPConn); !bare {
					t.Errorf("Accept returned a %T: sendfile needs the bare connection", c)
				}
				_ = c.Close()
				accepted.Done()
			}
		})
		return le
	}
	current := serve()
	var callers sync.WaitGroup
	callers.Go(func() {
		for range calls {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Errorf("Dial: %v", err)
				accepted.Done()
				continue
			}
			_ = c.Close()
		}
	})
	for range leases {
		if err := current.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		current = serve()
	}
	callers.Wait()
	accepted.Wait()
	_ = current.Close()
	_ = current.Close()
	servers.Wait()
}
