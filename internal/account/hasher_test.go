package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestHasher(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h, count := newHasher(t, HasherOptions{})
	stored, err := h.hash(ctx, "tanstaaf")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("hash = %q, %v", stored, err)
	}
	again, err := h.hash(ctx, "tanstaaf")
	if err != nil || again == stored {
		t.Errorf("the same password gives the same hash: no salt")
	}
	count.Store(0)
	for _, tt := range []struct {
		name, stored, password string
		ok                     bool
	}{
		{"right", stored, "tanstaaf", true},
		{"wrong", stored, "tanstaaf ", false},
		{"empty", stored, "", false},
		{"no password", "", "tanstaaf", false},
		{"no password, empty", "", "", false},
	} {
		ok, stale, err := h.check(ctx, tt.stored, tt.password)
		if ok != tt.ok || stale || err != nil {
			t.Errorf("%s: %t, stale %t, %v", tt.name, ok, stale, err)
		}
		if n := count.Swap(0); n != 1 {
			t.Errorf("%s: %d hashes, want 1", tt.name, n)
		}
	}
	if _, _, err := h.check(ctx, "damaged", "x"); err == nil {
		t.Error("a damaged hash is no error")
	}
}

func TestHasherSaysWhatIsStale(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	old, _ := newHasher(t, HasherOptions{})
	stored, err := old.hash(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []Argon2{{Memory: 128 << 10, Passes: 1}, {Memory: 64 << 10, Passes: 2}} {
		h, _ := newHasher(t, HasherOptions{Argon2: a})
		if ok, stale, err := h.check(ctx, stored, "x"); !ok || !stale || err != nil {
			t.Errorf("%+v: ok %t, stale %t, %v", a, ok, stale, err)
		}
	}
}

func TestHasherBoundsConcurrencyAndQueue(t *testing.T) {
	t.Parallel()
	h, _ := newHasher(t, HasherOptions{Concurrency: 2, Queue: 3})
	var inside, most atomic.Int64
	started, finish := make(chan struct{}, 10), make(chan struct{})
	h.derive = func(_, _ []byte, _ argon2Cost, n uint32) []byte {
		most.Store(max(most.Load(), inside.Add(1)))
		started <- struct{}{}
		<-finish
		inside.Add(-1)
		return make([]byte, n)
	}
	var busy atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _ = h.hash(context.Background(), "x") })
	}
	<-started
	<-started
	full := make(chan struct{}, 10)
	for range 10 { // 3 wait, 7 are refused at once
		wg.Go(func() {
			if _, _, err := h.check(context.Background(), "", "x"); errors.Is(err, ErrBusy) {
				busy.Add(1)
				full <- struct{}{}
			}
		})
	}
	for range 7 {
		<-full
	}
	close(finish)
	wg.Wait()
	if busy.Load() != 7 || most.Load() > 2 {
		t.Errorf("%d refused, %d at the same time; want 7 and 2", busy.Load(), most.Load())
	}
}

// A hash from elsewhere that takes more memory than ours takes the slots of as many of ours.
func TestHasherWeighsMemory(t *testing.T) {
	t.Parallel()
	h, _ := newHasher(t, HasherOptions{Concurrency: 8})
	var free int
	h.derive = func(_, _ []byte, _ argon2Cost, n uint32) []byte {
		free = h.gate.free
		return make([]byte, n)
	}
	tests := []struct {
		kib  string
		free int
	}{{"m=64", 7}, {"m=65", 6}, {"m=256", 4}, {"m=65536", 0}}
	for _, tt := range tests {
		stored := "$argon2id$v=19$" + tt.kib + ",t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
		if _, _, err := h.check(context.Background(), stored, "x"); err != nil {
			t.Fatal(err)
		}
		if free != tt.free {
			t.Errorf("%s: %d slots of 8 left, want %d", tt.kib, free, tt.free)
		}
	}
}
