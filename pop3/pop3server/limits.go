package pop3server

import (
	"net/netip"
	"sync"
)

// A tally counts what each key has at the moment.
type tally[K comparable] struct {
	mu sync.Mutex
	n  map[K]int
}

// enter counts one more for key, unless that is over limit.
func (t *tally[K]) enter(key K, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if over(t.n[key]+1, limit) {
		return false
	}
	if t.n == nil {
		t.n = make(map[K]int)
	}
	t.n[key]++
	return true
}

// leave undoes one enter.
func (t *tally[K]) leave(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[key]--; t.n[key] <= 0 {
		delete(t.n, key)
	}
}

// network returns what counts as one client: an IPv4 address, or the /64 of an IPv6 address.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
