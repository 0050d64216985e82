package account

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/sasl"
)

func TestLastSignIn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	first := g.clock.now()
	signIn := func() {
		t.Helper()
		if _, err := g.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
			t.Fatal(err)
		}
		g.recorder.flush()
	}
	last := func() time.Time {
		t.Helper()
		a, err := g.dir.Get(ctx, "alice")
		if err != nil {
			t.Fatal(err)
		}
		return a.LastSignIn
	}
	for range 60 {
		signIn()
		g.clock.advance(time.Minute)
	}
	// The goroutine may have taken what flush did not find; Close waits for it.
	g.Close()
	if got := last(); !got.Equal(first) {
		t.Errorf("last sign-in %v, want %v", got, first)
	}
	calls := g.db.Stats().Calls
	signIn()
	if got := last(); !got.Equal(first.Add(time.Hour)) {
		t.Errorf("an hour later: %v, want %v", got, first.Add(time.Hour))
	}
	if n := g.db.Stats().Calls - calls; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	// Another process knows from the catalog that it was written down already.
	other := NewGuard(g.dir, GuardOptions{Now: g.clock.now})
	if _, err := other.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	if n := g.db.Stats().Calls - calls; n != 1 {
		t.Errorf("%d writes with another process, want 1", n)
	}
}

func TestLastSignInBySCRAM(t *testing.T) {
	t.Parallel()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	if _, err := scram(t, g.Guard, sasl.SHA256, "", "alice", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	if _, err := scram(t, g.Guard, sasl.SHA256, "", "bob", "tanstaaf"); !errors.Is(err, ErrDisabled) {
		t.Fatal(err)
	}
	g.Close()
	for name, want := range map[string]bool{"alice": true, "bob": false, "carol": false} {
		if a, err := g.dir.Get(context.Background(), name); err != nil || !a.LastSignIn.IsZero() != want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// A disk that is full does not keep anybody from signing in, and is not asked again each time.
func TestLastSignInOnAFullDisk(t *testing.T) {
	t.Parallel()
	var writes atomic.Int64
	r := newRecorder(func(context.Context, map[int64]time.Time) error {
		writes.Add(1)
		return catalog.ErrFull
	}, slogDiscard())
	now := time.Now()
	for range 100 {
		r.note(Account{ID: 7}, now)
		r.flush()
	}
	r.close()
	if n := writes.Load(); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestRecorderIsBounded(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := newRecorder(func(context.Context, map[int64]time.Time) error { <-hold; return nil }, slogDiscard())
	for i := range 3 * recordPending {
		r.note(Account{ID: int64(i + 1)}, time.Now())
	}
	r.mu.Lock()
	if len(r.pending) > recordPending || len(r.recent.slots) > recordPending+1 {
		t.Errorf("%d pending, %d recent", len(r.pending), len(r.recent.slots))
	}
	r.mu.Unlock()
	close(hold)
	r.close()
	r.close() // once more does nothing
}
