package account

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
)

// A sign-in whose password is remembered: what a polling client costs.
func BenchmarkPasswordRemembered(b *testing.B) {
	g := newGuardTest(b, GuardOptions{}, SQLOptions{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
			b.Fatal(err)
		}
	}
}

// The part of it that is not the query.
func BenchmarkGuardWithoutQuery(b *testing.B) {
	g := newGuardTest(b, GuardOptions{}, SQLOptions{})
	if _, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf"); err != nil {
		b.Fatal(err)
	}
	r, err := g.account(context.Background(), atHome, "alice", "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, a, err := g.enter(atHome, "alice")
		if err == nil {
			_, err = g.check(context.Background(), a, r, givenPassword("tanstaaf"))
		}
		if _, err := g.end(r.Account, a, err); err != nil {
			b.Fatal(err)
		}
	}
}

// A sign-in with the default cost of a hash.
func BenchmarkPasswordCold(b *testing.B) {
	h, err := NewHasher(HasherOptions{})
	if err != nil {
		b.Fatal(err)
	}
	dir := newDirectory(b, newCatalog(b), SQLOptions{Hasher: h})
	addAccount(b, dir, "alice", "tanstaaf")
	g := NewGuard(dir, GuardOptions{Remember: -1})
	defer g.Close()
	for b.Loop() {
		if _, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScramKeys(b *testing.B) {
	g := newGuardTest(b, GuardOptions{}, SQLOptions{})
	for b.Loop() {
		if _, _, err := g.Scram(context.Background(), atHome, "", "alice", "SHA-256"); err != nil {
			b.Fatal(err)
		}
	}
}

// What a remembered sign-in does besides its query is counted here, so that it stays next to nothing.
func TestRememberedSignInAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes allocations of its own")
	}
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	if _, err := g.Password(context.Background(), atHome, "", "alice", "tanstaaf"); err != nil {
		t.Fatal(err)
	}
	g.Close()
	r, err := g.account(context.Background(), atHome, "alice", "")
	if err != nil {
		t.Fatal(err)
	}
	hashes := g.hashes.Load()
	n := testing.AllocsPerRun(100, func() {
		_, a, err := g.enter(atHome, "alice")
		if err == nil {
			_, err = g.check(context.Background(), a, r, givenPassword("tanstaaf"))
		}
		if _, err := g.end(r.Account, a, err); err != nil {
			t.Error(err)
		}
	})
	if n > 2 {
		t.Errorf("%v allocations, want 2 at most", n)
	}
	if g.hashes.Load() != hashes {
		t.Error("it was not remembered")
	}
}

// A countingDatabase counts transactions and the queries in them.
type countingDatabase struct {
	database
	reads, queries, writes atomic.Int64
}

type countingTx struct {
	catalog.Tx
	count *atomic.Int64
}

func (d *countingDatabase) Read(ctx context.Context, fn func(context.Context, catalog.Tx) error) error {
	d.reads.Add(1)
	return d.database.Read(ctx, func(ctx context.Context, tx catalog.Tx) error { return fn(ctx, countingTx{tx, &d.queries}) })
}

func (d *countingDatabase) ReadOne(ctx context.Context, fn func(context.Context, catalog.Tx) error) error {
	before := d.queries.Load()
	err := d.database.ReadOne(ctx, func(ctx context.Context, tx catalog.Tx) error { return fn(ctx, countingTx{tx, &d.queries}) })
	if n := d.queries.Load() - before; n != 1 {
		panic("ReadOne is for one query")
	}
	return err
}

func (d *countingDatabase) Write(ctx context.Context, fn func(context.Context, catalog.Tx) error) error {
	d.writes.Add(1)
	return d.database.Write(ctx, fn)
}

func (t countingTx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t.count.Add(1)
	return t.Tx.Query(ctx, query, args...)
}

func (t countingTx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	t.count.Add(1)
	return t.Tx.QueryRow(ctx, query, args...)
}

// One query for each name that an account may have (with and without the domain), whoever comes and whatever they know.
func TestSignInQueries(t *testing.T) {
	t.Parallel()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	counting := &countingDatabase{database: g.db}
	g.dir.db = counting
	for _, tt := range []struct{ user, password string }{
		{"alice", "tanstaaf"},
		{"alice", "tanstaaf"},
		{"alice@example.org", "tanstaaf"},
		{"alice", "wrong"},
		{"nobody", "tanstaaf"},
	} {
		_, _ = g.Password(context.Background(), atHome, "", tt.user, tt.password)
		if r, q := counting.reads.Swap(0), counting.queries.Swap(0); r != 1 || q != 2 {
			t.Errorf("%s %s: %d queries in %d transactions, want 2 in 1", tt.user, tt.password, q, r)
		}
	}
	for _, user := range []string{"alice", "carol", "nobody"} {
		_, _, _ = g.Scram(context.Background(), atHome, "", user, "SHA-256")
		if q := counting.queries.Swap(0); q != 3 {
			t.Errorf("SCRAM of %s: %d queries, want 3", user, q)
		}
	}
	g.Close()
	if n := counting.writes.Load(); n != 1 {
		t.Errorf("%d writes, want 1: when alice last signed in", n)
	}
}
