package account

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateLetsInSoManyInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 10)
		var mu sync.Mutex
		var order []int
		inside, most := 0, 0
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				leave, err := g.enter(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, i)
				inside++
				most = max(most, inside)
				mu.Unlock()
				time.Sleep(time.Duration(1+i) * time.Second)
				mu.Lock()
				inside--
				mu.Unlock()
				leave()
			})
			synctest.Wait() // so that they come in order
		}
		wg.Wait()
		if most != 2 {
			t.Errorf("%d at the same time, want 2", most)
		}
		if !slices.IsSorted(order) {
			t.Errorf("let in in the order %v", order)
		}
		if g.free != 2 || len(g.queue) != 0 {
			t.Errorf("at the end %d of 2 slots free, %d waiting", g.free, len(g.queue))
		}
	})
}

func TestGateBoundsItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 2)
		leave, err := g.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				leave, err := g.enter(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				leave()
			})
		}
		synctest.Wait()
		if _, err := g.enter(t.Context(), 1); !errors.Is(err, ErrBusy) {
			t.Errorf("third in the queue of two: %v, want ErrBusy", err)
		}
		leave()
		wg.Wait()
	})
}

func TestGateWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 2)
		leave, err := g.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := g.enter(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("waited %v, want 1s", d)
		}
		leave()
		if _, err := g.enter(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that has ended: %v, want DeadlineExceeded", err)
		}
		if g.free != 1 || len(g.queue) != 0 {
			t.Errorf("%d of 1 slots free, %d waiting", g.free, len(g.queue))
		}
	})
}

// Work that wants more slots than there are takes all, and those who gave up before it do not hold it up.
func TestGateHeavyWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 10)
		leave, err := g.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		heavy := make(chan func(), 1)
		wg.Go(func() {
			leave, err := g.enter(t.Context(), 100)
			if err != nil {
				t.Error(err)
			}
			heavy <- leave
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := g.enter(ctx, 1); !errors.Is(err, context.Canceled) {
				t.Errorf("behind the heavy one: %v, want Canceled", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		leave()
		leave = <-heavy
		if g.free != 0 {
			t.Errorf("%d slots free beside the heavy one", g.free)
		}
		leave()
		wg.Wait()
		if g.free != 2 {
			t.Errorf("%d of 2 slots free", g.free)
		}
	})
}
