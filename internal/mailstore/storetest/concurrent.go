package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/mailstore"
)

// together runs fn in n goroutines and waits for them.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

// Many deliver at once, through two openers, to the same maildrops: each message arrives once.
func testParallelDeliveries(t *testing.T, f *fixture) {
	stores := []mailstore.Store{f.store(t), f.store(t)}
	const workers, each = 16, 20
	var mu sync.Mutex
	want := map[mailstore.DropID]map[string]string{alice: {}, bob: {}}
	together(workers, func(i int) {
		s := stores[i%len(stores)]
		for j := range each {
			text := fmt.Sprintf("worker %d message %d\r\n", i, j)
			drops := [][]mailstore.DropID{{alice}, {bob}, {alice, bob}, {bob, alice}}[j%4]
			receipts, err := try(s, mailstore.Envelope{}, text, drops...)
			if err != nil {
				t.Errorf("delivering: %v", err)
				return
			}
			mu.Lock()
			for k, id := range drops {
				want[id][receipts[k].UID] = text
			}
			mu.Unlock()
		}
	})
	for id, messages := range want {
		for _, s := range stores {
			account(t, contents(t, s, id), messages)
		}
		if len(messages) != workers*each*3/4 {
			t.Errorf("maildrop %d: %d different unique-ids for %d deliveries", id, len(messages), workers*each*3/4)
		}
	}
	clean(t, stores[0])
}

// account compares what is there with what must be there, each message exactly once.
func account(t tester, got []message, want map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range got {
		switch text, ok := want[m.uid]; {
		case !ok:
			t.Errorf("message %s should not be there: %.60q", m.uid, m.text)
		case text != m.text:
			t.Errorf("message %s is %.60q, want %.60q", m.uid, m.text, text)
		case seen[m.uid]:
			t.Errorf("message %s is there twice", m.uid)
		}
		seen[m.uid] = true
	}
	for uid, text := range want {
		if !seen[uid] {
			t.Errorf("message %s is lost: %.60q", uid, text)
		}
	}
}

// Of many deliveries with the same key one is stored.
func testParallelSameKey(t *testing.T, f *fixture) {
	stores := []mailstore.Store{f.store(t), f.store(t)}
	const workers, keys = 8, 10
	var mu sync.Mutex
	stored := map[int]map[string]int{}
	together(workers, func(i int) {
		for k := range keys {
			env := mailstore.Envelope{Key: fmt.Sprint("key ", k)}
			receipts, err := try(stores[i%len(stores)], env, fmt.Sprintf("key %d\r\n", k), alice)
			if err != nil {
				t.Errorf("delivering: %v", err)
				return
			}
			mu.Lock()
			if stored[k] == nil {
				stored[k] = map[string]int{}
			}
			if !receipts[0].Duplicate {
				stored[k][receipts[0].UID]++
			} else {
				stored[k][receipts[0].UID] += 0
			}
			mu.Unlock()
		}
	})
	want := map[string]string{}
	for k, byUID := range stored {
		if len(byUID) != 1 {
			t.Errorf("key %d has the unique-ids %v, want one", k, byUID)
		}
		for uid, n := range byUID {
			want[uid] = fmt.Sprintf("key %d\r\n", k)
			if n != 1 {
				t.Errorf("key %d was stored %d times", k, n)
			}
		}
	}
	account(t, contents(t, stores[0], alice), want)
	// A file in which no body is used may stay until it is old.
	f.clock.advance(window)
	if _, err := stores[0].Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if left := bodyFiles(t, f.bodies); len(left) > keys {
		t.Errorf("%d files on disk, want at most %d", len(left), keys)
	}
}

// Deliveries, sessions that delete, sessions that look, and sweeps go on at once. In the end every message is where the
// answers said.
func testParallelSessions(t *testing.T, f *fixture) {
	stores := []mailstore.Store{f.store(t), f.store(t)}
	const deliverers, each, sessions = 4, 60, 3
	var mu sync.Mutex
	delivered, deleted := map[string]string{}, map[string]bool{}
	var working, watching sync.WaitGroup
	done := make(chan struct{})

	for i := range deliverers {
		working.Go(func() {
			for j := range each {
				text := fmt.Sprintf("%d.%d\r\n", i, j)
				receipts, err := try(stores[i%2], mailstore.Envelope{}, text, alice)
				if err != nil {
					t.Errorf("delivering: %v", err)
					return
				}
				mu.Lock()
				delivered[receipts[0].UID] = text
				mu.Unlock()
			}
		})
	}
	holders := make(chan struct{}, 1) // who holds the lock, as the test knows it
	for i := range sessions {
		working.Go(func() {
			for range 40 {
				d, err := stores[i%2].Open(background, alice, mailstore.View{})
				if errors.Is(err, mailstore.ErrInUse) {
					continue
				}
				if err != nil {
					t.Errorf("opening: %v", err)
					return
				}
				select {
				case holders <- struct{}{}:
				default:
					t.Error("two sessions hold the lock")
				}
				var u mailstore.Update
				var gone []string
				for k := range d.Len() {
					if k%2 == 0 {
						u.Deleted = append(u.Deleted, k)
						gone = append(gone, string(d.AppendUID(nil, k)))
					}
				}
				if err := d.Update(background, u); err != nil {
					t.Errorf("Update: %v", err)
				}
				mu.Lock()
				for _, uid := range gone {
					if deleted[uid] {
						t.Errorf("message %s was deleted twice", uid)
					}
					deleted[uid] = true
				}
				mu.Unlock()
				select {
				case <-holders:
				default:
				}
				closeDrop(t, d)
			}
		})
	}
	for i := range 2 {
		watching.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if d, err := stores[i].Open(background, alice, mailstore.View{Shared: true}); err != nil {
					t.Errorf("opening shared: %v", err)
					return
				} else {
					coherent(t, d)
					closeDrop(t, d)
				}
				if _, err := stores[i].Sweep(background); err != nil {
					t.Errorf("Sweep: %v", err)
				}
				if _, err := stores[i].Usage(background, alice); err != nil {
					t.Errorf("Usage: %v", err)
				}
			}
		})
	}
	working.Wait()
	close(done)
	watching.Wait()

	for uid := range deleted {
		if _, ok := delivered[uid]; !ok {
			t.Errorf("%s was deleted and never delivered", uid)
		}
		delete(delivered, uid)
	}
	for _, s := range stores {
		account(t, contents(t, s, alice), delivered)
	}
	u, err := stores[0].Usage(t.Context(), alice)
	if err != nil || u.Messages != len(delivered) || u.DeletedMessages != len(deleted) {
		t.Errorf("Usage: %+v, %v, want %d messages and %d deleted", u, err, len(delivered), len(deleted))
	}
	clean(t, stores[1])
}

// coherent checks that a listing agrees with itself and with the catalog, except for messages that went meanwhile.
func coherent(t tester, d mailstore.Drop) {
	t.Helper()
	var octets int64
	seen := make(map[string]bool, d.Len())
	for i := range d.Len() {
		uid := string(d.AppendUID(nil, i))
		if seen[uid] {
			t.Errorf("unique-id %s is in a listing twice", uid)
		}
		seen[uid] = true
		octets += d.Size(i)
		if i%16 > 0 {
			continue
		}
		info, err := d.Info(background, i)
		if errors.Is(err, mailstore.ErrGone) {
			continue
		}
		if err != nil || info.UID != uid || info.Size != d.Size(i) {
			t.Errorf("message %d is %s of %d octets, the catalog says %+v, %v", i, uid, d.Size(i), info, err)
		}
	}
	if octets != d.Octets() {
		t.Errorf("Octets is %d, the sizes add up to %d", d.Octets(), octets)
	}
}
