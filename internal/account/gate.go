package account

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy: more passwords wait to be checked than the queue holds; try again soon. Nothing was checked.
var ErrBusy = errors.New("account: too many sign-ins at the same time")

// A gate lets in work up to a number of slots, in order of arrival, and keeps a bounded queue before it.
type gate struct {
	mu    sync.Mutex
	slots int
	free  int
	limit int // of the queue
	queue []*gateWaiter
}

type gateWaiter struct {
	n     int
	ready chan struct{}
}

func newGate(slots, queue int) *gate { return &gate{slots: slots, free: slots, limit: queue} }

// enter takes n slots (all there are, if n is more) and returns a function that gives them back. It waits until ctx
// ends. ErrBusy: the queue is full.
func (g *gate) enter(ctx context.Context, n int) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n = min(n, g.slots)
	leave = func() { g.give(n) }
	g.mu.Lock()
	if len(g.queue) == 0 && g.free >= n {
		g.free -= n
		g.mu.Unlock()
		return leave, nil
	}
	if len(g.queue) >= g.limit {
		g.mu.Unlock()
		return nil, ErrBusy
	}
	w := &gateWaiter{n, make(chan struct{})}
	g.queue = append(g.queue, w)
	g.mu.Unlock()

	select {
	case <-w.ready:
		return leave, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, w); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	} else {
		g.free += n // it was let in at the same moment
	}
	g.admit()
	return nil, ctx.Err()
}

func (g *gate) give(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free += n
	g.admit()
}

// admit lets in from the head of the queue what fits.
func (g *gate) admit() {
	for len(g.queue) > 0 && g.queue[0].n <= g.free {
		g.free -= g.queue[0].n
		close(g.queue[0].ready)
		g.queue = slices.Delete(g.queue, 0, 1)
	}
}
