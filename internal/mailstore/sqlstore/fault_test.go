package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// A catalog without room fails deliveries with ErrUnavailable and its cause, loses nothing, lets sessions read on, and is
// as before when there is room again. Faults of the system calls beneath are the business of storetest.Crash.
func TestCatalogFull(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	for range 3 {
		deliver(t, s, "kept\n", 1)
	}
	d := mustOpen(t, s, 1)
	limitPages(t, s, 1)
	stored := 3
	var err error
	for range 200 { // the pages there are have room for some
		if _, err = tryDeliver(s, strings.Repeat("x", 2000), 1, 2); err != nil {
			break
		}
		stored++
	}
	if !errors.Is(err, mailstore.ErrUnavailable) || !errors.Is(err, catalog.ErrFull) {
		t.Errorf("delivery: %v, want ErrUnavailable and ErrFull", err)
	}
	if b, err := d.Body(t.Context(), 0); err != nil {
		t.Errorf("reading: %v", err)
	} else if text, err := io.ReadAll(b.R); string(text) != "kept\r\n" || err != nil || b.R.Close() != nil {
		t.Errorf("reading: %q, %v", text, err)
	}
	mustClose(t, d)
	d = mustOpen(t, s, 1)
	if d.Len() != stored {
		t.Errorf("%d messages, want %d", d.Len(), stored)
	}
	limitPages(t, s, 1_000_000)
	deliver(t, s, "after\n", 1)
	if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{0}}); err != nil {
		t.Errorf("update after the fault: %v", err)
	}
	mustClose(t, d)
	d = mustOpen(t, s, 1)
	if d.Len() != stored {
		t.Errorf("after the fault %d messages, want %d", d.Len(), stored)
	}
	mustClose(t, d)
	wantClean(t, s, 1)
	wantClean(t, s, 2)
}

// limitPages bounds the size of the catalog, as a disk would.
func limitPages(tb testing.TB, s *Store, pages int) {
	tb.Helper()
	err := s.cat.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		var n int
		return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Nothing deleted is nothing to write: QUIT after reading costs no commit.
func TestUpdateOfNothingWritesNothing(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	deliver(t, s, "x", 1)
	d := mustOpen(t, s, 1)
	defer mustClose(t, d)
	before := s.cat.Stats()
	if err := d.Update(t.Context(), mailstore.Update{Retrieved: []int{0}}); err != nil {
		t.Fatal(err)
	}
	if after := s.cat.Stats(); after.Commits != before.Commits {
		t.Error("it was a commit")
	}
}

// A delivery that the catalog refuses leaves no body behind.
func TestRefusedDeliveryLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTestAt(t, dir, Options{})
	if err := s.Remove(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := tryDeliver(s, "x", 4, 5); !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("error %v, want ErrRemoved", err)
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(dir, "bodies"), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != 0 {
		t.Errorf("%d bodies are left, %v", files, err)
	}
}

// Deliveries that come together share commits: while one is written, the next gathers.
func TestDeliveriesShareCommits(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	before := s.cat.Stats()
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.cat.Write(context.Background(), func(context.Context, catalog.Tx) error { close(started); <-release; return nil })
	})
	<-started
	const n = 16
	for i := range n {
		wg.Go(func() {
			if _, err := tryDeliver(s, "x", mailstore.DropID(1+i)); err != nil {
				t.Error(err)
			}
		})
	}
	for s.cat.Stats().Waiting < n {
		runtime.Gosched()
	}
	close(release)
	wg.Wait()
	after := s.cat.Stats()
	if calls, commits := after.Calls-before.Calls, after.Commits-before.Commits; calls != n+1 || commits != 2 {
		t.Errorf("%d calls in %d commits, want %d in 2", calls, commits, n+1)
	}
}

// Deleting writes by the chunk, not by the message, and sweeping gives everything back.
func TestDeletingWritesLittle(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{UndeleteWindow: -1})
	const n = chunkSize + 200
	fill(t, s, 1, n)
	d := mustOpen(t, s, 1)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if err := d.Update(t.Context(), mailstore.Update{Deleted: all}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	if got := rowsOf(t, s, "deletions"); got != 2 {
		t.Errorf("deleting %d messages of 2 chunks wrote %d rows, want 2", n, got)
	}
	if res, err := s.Sweep(t.Context()); err != nil || res.Messages != n || res.Bodies != n {
		t.Errorf("sweep: %+v, %v", res, err)
	}
	for _, table := range []string{"messages", "deletions", "chunks", "packs"} {
		if got := rowsOf(t, s, table); got != 0 {
			t.Errorf("after the sweep %s has %d rows", table, got)
		}
	}
	fill(t, s, 1, packEvery)
	wantClean(t, s, 1)
}

// rowsOf returns how many rows a table has, but for those of maildrop 2.
func rowsOf(tb testing.TB, s *Store, table string) (n int) {
	tb.Helper()
	err := s.cat.Read(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM "+table+" WHERE drop_id <> 2").Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	ctx := t.Context()
	for _, id := range []mailstore.DropID{0, -1, maxID + 1} {
		if _, err := s.Open(ctx, id, mailstore.View{}); err == nil {
			t.Errorf("maildrop %d can be opened", id)
		}
		if _, err := tryDeliver(s, "x", id); err == nil {
			t.Errorf("maildrop %d takes mail", id)
		}
	}
	long := strings.Repeat("x", mailstore.MaxAddress+1)
	if _, err := s.Begin(ctx, mailstore.Envelope{Sender: long}); err == nil {
		t.Error("a sender of any length is taken")
	}
	d, err := s.Begin(ctx, mailstore.Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(ctx, []mailstore.Recipient{{Drop: 1, Address: long}}); err == nil {
		t.Error("a recipient of any length is taken")
	}
}

// Removing a large maildrop goes in batches, and what was cut off is finished by the next sweep.
func TestRemoveInBatches(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	fill(t, s, 1, 3*sweepBatch+10)
	fill(t, s, 2, 10)
	ctx, cancel := context.WithCancel(t.Context())
	before := s.cat.Stats().Commits
	if err := s.Remove(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if got := s.cat.Stats().Commits - before; got < 5 {
		t.Errorf("all was removed in %d transactions", got)
	}
	cancel()
	fill(t, s, 3, 300)
	execSQL(t, s, sqlRemoveDrop, 3, []byte{}, 1) // as if it had been cut off here
	res, err := s.Sweep(t.Context())
	if err != nil || res.Messages != 300 {
		t.Errorf("sweep: %+v, %v", res, err)
	}
	for _, table := range []string{"messages", "chunks", "packs", "deletions", "delivery_keys", "used_uids"} {
		if n := rowsOf(t, s, table); n > 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if err := s.Remove(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if err := s.Remove(t.Context(), 1); err != nil {
		t.Errorf("removing again: %v", err)
	}
}
