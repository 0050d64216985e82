package pop3test

import (
	"context"
	"errors"
	"sync"

	"github.com/postamt/postamt/pop3/pop3server"
)

// lock: one session at a time, the second is told at once, and Close is enough to end the first.
func (b *backendTest) lock() {
	b.deliver("Subject: one\r\n\r\n")
	for _, quit := range []*pop3server.Outcome{nil, {}, {Deleted: []int{0}}} {
		first, err := b.tryOpen("ann")
		if err != nil {
			b.Fatalf("Open: %v", err)
		}
		// The lock is held from Open on, before Scan.
		for range 2 {
			if second, err := b.tryOpen("ann"); !errors.Is(err, pop3server.ErrInUse) {
				if err == nil {
					_ = second.Close()
				}
				b.Fatalf("second Open: %v, want ErrInUse", err)
			}
		}
		if _, err := first.Scan(b.Context()); err != nil {
			b.Fatalf("Scan: %v", err)
		}
		b.closeDrop(first, quit)
	}
	d, _ := b.openDrop()
	b.closeDrop(d, nil)
}

// lockRace: of many that come at once exactly one gets in.
func (b *backendTest) lockRace() {
	const many = 16
	id := b.identify("ann")
	var wg sync.WaitGroup
	drops := make([]pop3server.Maildrop, many)
	errs := make([]error, many)
	for i := range many {
		wg.Go(func() { drops[i], errs[i] = b.Backend.Open(b.Context(), b.conn, id) })
	}
	wg.Wait()
	winners := 0
	for i := range many {
		switch {
		case errs[i] == nil:
			winners++
			b.closeDrop(drops[i], nil)
		case !errors.Is(errs[i], pop3server.ErrInUse):
			b.Errorf("Open: %v, want ErrInUse", errs[i])
		}
	}
	if winners != 1 {
		b.Errorf("%d of %d got the lock, want 1", winners, many)
	}
}

// cancelled: an Open that is given up leaves nothing locked.
func (b *backendTest) cancelled() {
	id := b.identify("ann")
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if d, err := b.Backend.Open(ctx, b.conn, id); err == nil {
		_ = d.Close()
	}
	d, _ := b.openDrop()
	b.closeDrop(d, nil)
}
