package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
)

var schema = []catalog.Migration{
	{Number: 1, SQL: `CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL); CREATE INDEX by_text ON notes (text)`},
	{Number: 2, SQL: `CREATE TABLE marks (note BIGINT NOT NULL REFERENCES notes (id))`},
}

func openAt(tb testing.TB, path string, opt catalog.Options) *catalog.DB {
	tb.Helper()
	db, err := catalog.Open(tb.Context(), path, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := db.Migrate(tb.Context(), "test", schema); err != nil {
		tb.Fatal(err)
	}
	return db
}

func openNew(tb testing.TB, opt catalog.Options) *catalog.DB {
	tb.Helper()
	return openAt(tb, filepath.Join(tb.TempDir(), "a b?#%.db"), opt)
}

func insert(id int, text any) func(context.Context, catalog.Tx) error {
	return func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO notes (id, text) VALUES (?, ?)", id, text)
		return err
	}
}

func count(tb testing.TB, db *catalog.DB) (n int) {
	tb.Helper()
	err := db.Read(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		return tx.QueryRow(ctx, "SELECT COUNT(*) FROM notes").Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestWriteAndReadBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	db, err := catalog.Open(t.Context(), path, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), "test", schema); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "one")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(2, "two")); !errors.Is(err, catalog.ErrClosed) {
		t.Errorf("Write after Close: %v, want ErrClosed", err)
	}
	if err := db.Read(t.Context(), nil); !errors.Is(err, catalog.ErrClosed) {
		t.Errorf("Read after Close: %v, want ErrClosed", err)
	}
	if n := count(t, openAt(t, path, catalog.Options{})); n != 1 {
		t.Errorf("%d notes after reopening, want 1", n)
	}
}

// Calls that come while the writer is busy share one commit, and one that fails leaves the others alone.
func TestWritesShareACommit(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Batch: 64})
	before := db.Stats()

	started, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
			close(started)
			<-release
			return insert(-1, "first")(ctx, tx)
		})
	}()
	<-started
	const n = 20
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var text any = "x"
			if i%5 == 0 {
				text = nil // NOT NULL: fails
			}
			errs[i] = db.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
				if err := insert(1000+i, "undone with its call")(ctx, tx); err != nil {
					return err
				}
				if err := insert(i, text)(ctx, tx); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "DELETE FROM notes WHERE id = ?", 1000+i)
				return err
			})
		})
	}
	for db.Stats().Waiting < n {
		yield() // until all of them stand in the queue
	}
	close(release)
	wg.Wait()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if want := i%5 == 0; errors.Is(err, catalog.ErrConstraint) != want || (err != nil) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
	after := db.Stats()
	if got := after.Commits - before.Commits; got != 2 {
		t.Errorf("%d commits for the first call and the %d that waited, want 2", got, n)
	}
	if got := after.Calls - before.Calls; got != 1+n*4/5 {
		t.Errorf("%d calls committed, want %d", got, 1+n*4/5)
	}
	if got := count(t, db); got != 1+n*4/5 {
		t.Errorf("%d rows, want %d", got, 1+n*4/5)
	}
}

func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Batch: 3})
	before := db.Stats().Commits
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(context.Background(), func(context.Context, catalog.Tx) error { close(started); <-release; return nil })
	})
	<-started
	for i := range 9 {
		wg.Go(func() {
			if err := db.Write(context.Background(), insert(i, "x")); err != nil {
				t.Error(err)
			}
		})
	}
	for db.Stats().Waiting < 9 {
		yield()
	}
	close(release)
	wg.Wait()
	if got := db.Stats().Commits - before; got != 4 {
		t.Errorf("%d commits, want 1 + 9/3", got)
	}
}

// A queue that is full holds callers back, and they can give up.
func TestQueueIsBoundedAndCanBeLeft(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Queue: 1})
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(context.Background(), func(context.Context, catalog.Tx) error { close(started); <-release; return nil })
	})
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	never := func(context.Context, catalog.Tx) error { ran = true; return nil }
	results := make(chan error, 5)
	for range 5 {
		wg.Go(func() { results <- db.Write(ctx, never) })
	}
	for db.Stats().Waiting < 1 {
		yield()
	}
	cancel()
	for range 5 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("abandoned call: %v, want context.Canceled", err)
		}
	}
	close(release)
	wg.Wait()
	if err := db.Write(context.Background(), insert(1, "after")); err != nil {
		t.Fatal(err)
	}
	if ran {
		t.Error("an abandoned call was run")
	}
}

// A context that ends while fn runs undoes the call, and nothing else.
func TestContextEndsDuringWrite(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	err := db.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if err := insert(1, "x")(ctx, tx); err != nil {
			return err
		}
		cancel()
		return insert(2, "y")(ctx, tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows were kept", n)
	}
}

func TestPanicReachesItsCallerOnly(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{})
	func() {
		defer func() {
			if r := recover(); r != "oops" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = db.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
			if err := insert(1, "x")(ctx, tx); err != nil {
				return err
			}
			panic("oops")
		})
	}()
	if err := db.Write(context.Background(), insert(2, "y")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want that of the second call", n)
	}
}

func TestPanicOfAReadReachesItsCallerOnly(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Readers: 1})
	func() {
		defer func() {
			if r := recover(); r != "oops" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = db.Read(t.Context(), func(context.Context, catalog.Tx) error { panic("oops") })
	}()
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// TestReadOne: a query without a transaction around it sees what is committed, cannot write, and leaves a connection that
// serves the next one, also after an error.
func TestReadOne(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Readers: 1})
	want := 0
	count := func(ctx context.Context, tx catalog.Tx) (err error) {
		var n int
		if err = tx.QueryRow(ctx, "SELECT COUNT(*) FROM notes").Scan(&n); err == nil && n != want {
			t.Errorf("%d notes, want %d", n, want)
		}
		return err
	}
	for want < 3 {
		if err := db.ReadOne(t.Context(), count); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO notes (id, text) VALUES (?, ?)", want, "x")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want++
		if err := db.ReadOne(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM notes")
			return err
		}); err == nil {
			t.Error("ReadOne can write")
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := db.ReadOne(stopped, count); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestReadSeesOneSnapshot(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Readers: 2})
	err := db.Read(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		var a, b int
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM notes").Scan(&a); err != nil {
			return err
		}
		if err := db.Write(ctx, insert(1, "x")); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM notes").Scan(&b); err != nil {
			return err
		}
		if a != 0 || b != 0 {
			t.Errorf("saw %d, then %d rows in one snapshot", a, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("a new snapshot has %d rows, want 1", n)
	}
	if err := db.Read(t.Context(), insert(2, "y")); !errors.Is(err, catalog.ErrReadOnly) {
		t.Errorf("writing in Read: %v, want ErrReadOnly", err)
	}
}

func TestReadersAreBounded(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Readers: 1})
	err := db.Read(t.Context(), func(context.Context, catalog.Tx) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return db.Read(ctx, func(context.Context, catalog.Tx) error { t.Error("a second reader ran"); return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	db := openAt(t, path, catalog.Options{})
	before := db.Stats().Commits
	if err := db.Migrate(t.Context(), "test", schema); err != nil {
		t.Fatal(err)
	}
	if got := db.Stats().Commits; got != before {
		t.Error("migrating a current schema wrote something")
	}
	err := db.Migrate(t.Context(), "test", schema[:1])
	var newer *catalog.SchemaError
	if !errors.As(err, &newer) || newer.Have != 2 || newer.Know != 1 || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("older program: %v", err)
	}
	broken := append(schema[:2:2], catalog.Migration{Number: 3, SQL: "CREATE TABLE half (x); CREATE TABLE notes (x)"})
	if err := db.Migrate(t.Context(), "test", broken); err == nil {
		t.Error("a broken step succeeded")
	}
	fixed := append(schema[:2:2], catalog.Migration{Number: 3, SQL: "CREATE TABLE half (x BIGINT); INSERT INTO half VALUES (1)"})
	if err := db.Migrate(t.Context(), "test", fixed); err != nil {
		t.Errorf("after a step that failed half-way: %v", err)
	}
	if err := db.Migrate(t.Context(), "gap", []catalog.Migration{{Number: 2}}); err == nil {
		t.Error("a gap in the numbers was taken")
	}
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := catalog.Open(context.Background(), path, catalog.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Migrate(context.Background(), "test", schema); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{})
	if found, err := db.Check(t.Context()); err != nil || len(found) != 0 {
		t.Fatalf("sound catalog: %q, %v", found, err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO marks (note) VALUES (?)", 404)
		return err
	})
	if !errors.Is(err, catalog.ErrConstraint) {
		t.Errorf("a reference to nothing: %v, want ErrConstraint", err)
	}
}

func TestStatementsKeptAreBounded(t *testing.T) {
	t.Parallel()
	db := openNew(t, catalog.Options{Readers: 1})
	err := db.Read(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
		for i := range 1000 {
			var n int
			if err := tx.QueryRow(ctx, fmt.Sprintf("SELECT %d", i)).Scan(&n); err != nil || n != i {
				return fmt.Errorf("got %d, %w", n, err)
			}
			if kept := catalog.Statements(tx); kept > 256 {
				return fmt.Errorf("%d statements are kept", kept)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
