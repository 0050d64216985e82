package catalog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/catalog"
)

// childEnv makes this test binary write to the catalog it names: see child.
const (
	childEnv  = "POSTAMT_TEST_CATALOG"
	childFrom = "POSTAMT_TEST_FROM"
	childUpTo = "POSTAMT_TEST_UP_TO"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := child(path); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child inserts notes, several at a time, and says of each that it was acknowledged.
func child(path string) error {
	from, err1 := strconv.Atoi(os.Getenv(childFrom))
	upTo, err2 := strconv.Atoi(os.Getenv(childUpTo))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := catalog.Open(ctx, path, catalog.Options{CheckpointDelay: time.Millisecond})
	if err != nil {
		return err
	}
	ids := make(chan int)
	errs := make(chan error, 4)
	var mu sync.Mutex
	for range 4 {
		go func() {
			for id := range ids {
				if err := db.Write(ctx, insert(id, "x")); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(id)
				mu.Unlock()
			}
			errs <- nil
		}()
	}
	for id := from; id < upTo; id++ {
		ids <- id
	}
	close(ids)
	for range 4 {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, db.Close())
}

func startChild(t *testing.T, path string, from, upTo int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path, fmt.Sprintf("%s=%d", childFrom, from), fmt.Sprintf("%s=%d", childUpTo, upTo))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// Whatever was acknowledged is there after kill -9, and the next process goes on as if nothing had been.
func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	db := openAt(t, path, catalog.Options{})
	acknowledged := map[int]bool{}
	for round := range 5 {
		cmd, lines := startChild(t, path, round*1_000_000, (round+1)*1_000_000)
		for n := 0; lines.Scan(); n++ {
			id, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acknowledged[id] = true
			if n == 20+30*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed, and says so
	}
	err := db.Read(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		for id := range acknowledged {
			var text string
			if err := tx.QueryRow(ctx, "SELECT text FROM notes WHERE id = ?", id).Scan(&text); err != nil {
				return fmt.Errorf("note %d: %w", id, err)
			}
		}
		return nil
	})
	if err != nil || len(acknowledged) < 5*20 {
		t.Errorf("of %d acknowledged: %v", len(acknowledged), err)
	}
	if found, err := db.Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("check: %q, %v", found, err)
	}
}

// Several processes write to one catalog at the same time.
func TestProcessesWriteTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	db := openAt(t, path, catalog.Options{})
	const each = 100
	var wg sync.WaitGroup
	for p := range 2 {
		cmd, lines := startChild(t, path, (p+1)*1000, (p+1)*1000+each)
		wg.Go(func() {
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "failed") {
					t.Error(lines.Text())
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	for id := range each {
		if err := db.Write(t.Context(), insert(id, "mine")); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if n := count(t, db); n != 3*each {
		t.Errorf("%d notes, want %d", n, 3*each)
	}
}

// Another process that holds the catalog too long is an error of its own, and passes.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	a := openAt(t, path, catalog.Options{})
	b := openAt(t, path, catalog.Options{BusyTimeout: time.Millisecond})
	started, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- a.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
			close(started)
			<-release
			return insert(1, "x")(ctx, tx)
		})
	}()
	<-started
	if err := b.Write(t.Context(), insert(2, "y")); !errors.Is(err, catalog.ErrBusy) {
		t.Errorf("while the other writes: %v, want ErrBusy", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := b.Write(t.Context(), insert(2, "y")); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A call that needs more room than there is fails alone: the others of its batch are kept, although the database gave up
// the transaction of all. When there is room again, writing goes on without reopening.
func TestFull(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{})
	limit := func(pages int) {
		t.Helper()
		err := db.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			var n int
			return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(20)
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(context.Background(), func(context.Context, catalog.Tx) error { close(started); <-release; return nil })
	})
	<-started
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() {
			text := "small"
			if i == 2 {
				text = strings.Repeat("large", 100_000)
			}
			errs[i] = db.Write(context.Background(), insert(i, text))
		})
	}
	for db.Stats().Waiting < len(errs) {
		yield()
	}
	close(release)
	wg.Wait()
	for i, err := range errs {
		if want := i == 2; errors.Is(err, catalog.ErrFull) != want || (err != nil) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := count(t, db); n != 4 {
		t.Errorf("%d notes, want the 4 small ones", n)
	}
	limit(100_000)
	if err := db.Write(t.Context(), insert(2, strings.Repeat("large", 100_000))); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

// A connection that has become read-only is replaced: the write after the one that failed works.
func TestReadOnlyPasses(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{})
	err := db.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, "PRAGMA query_only = 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "x")); !errors.Is(err, catalog.ErrReadOnly) {
		t.Errorf("read-only: %v, want ErrReadOnly", err)
	}
	if err := db.Write(t.Context(), insert(1, "x")); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestOpenFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := catalog.Open(t.Context(), filepath.Join(dir, "no", "such", "folder"), catalog.Options{}); !errors.Is(err, catalog.ErrIO) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v, want ErrIO and the cause", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a catalog\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Open(t.Context(), text, catalog.Options{}); !errors.Is(err, catalog.ErrCorrupt) {
		t.Errorf("a text file: %v, want ErrCorrupt", err)
	}
	path := filepath.Join(dir, "c.db")
	openAt(t, path, catalog.Options{})
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("a new catalog has mode %v, %v, want 0600", fi.Mode(), err)
	}
}

// Under constant load the log does not grow without bound.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	const limit = 1 << 20
	db := openAt(t, path, catalog.Options{MaxLog: limit, CheckpointDelay: time.Hour})
	text := strings.Repeat("x", 50_000)
	for id := range 100 {
		if err := db.Write(t.Context(), insert(id, text)); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Stat(path + "-wal"); err != nil || fi.Size() > limit+200_000 {
			t.Fatalf("after %d writes the log has %d octets, %v", id+1, fi.Size(), err)
		}
	}
	if db.Stats().Checkpoints == 0 {
		t.Error("the log was never copied")
	}
}

func TestCheckpointInTheBackground(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{CheckpointDelay: time.Millisecond})
	if err := db.Write(t.Context(), insert(1, "x")); err != nil {
		t.Fatal(err)
	}
	for db.Stats().Checkpoints == 0 {
		yield()
	}
}

// yield lets others go on while a test waits for them.
func yield() { runtime.Gosched() }
