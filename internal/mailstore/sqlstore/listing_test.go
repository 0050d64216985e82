package sqlstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

func uidsOf(d mailstore.Drop) (list []string) {
	for i := range d.Len() {
		list = append(list, string(d.AppendUID(nil, i)))
	}
	return list
}

// wantClean compares everything that is derived with the rows.
func wantClean(tb testing.TB, s *Store, drop int64) {
	tb.Helper()
	err := s.cat.Read(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		details, err := compareListing(ctx, tx, drop)
		if len(details) > 0 {
			tb.Errorf("maildrop %d: %q", drop, details)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Around every border of tail, pack and chunk the listing is complete, cold and warm.
func TestListingAtTheBorders(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	have := 0
	for _, n := range []int{1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 1088} {
		fill(t, s, 1, n-have)
		have = n
		for _, cold := range []bool{false, true} {
			if cold {
				s.cache.clear()
			}
			d := mustOpen(t, s, 1)
			if d.Len() != n {
				t.Errorf("%d messages, cold %t: the listing has %d", n, cold, d.Len())
			}
			uids := uidsOf(d)
			slices.Sort(uids)
			if len(slices.Compact(uids)) != n {
				t.Errorf("%d messages, cold %t: some are listed twice", n, cold)
			}
			mustClose(t, d)
		}
		wantClean(t, s, 1)
	}
}

// The tail, which is read row by row, stays short.
func TestTailIsBounded(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	for range 200 {
		fill(t, s, 1, 1)
		err := s.cat.Read(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			row, err := readDrop(ctx, tx, 1)
			if n := row.nextSeq - row.packedTo; n >= packEvery {
				t.Errorf("%d of %d messages are not packed", n, row.nextSeq)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Random deliveries, deletions, undeletions and sweeps: the listing is what a plain slice says, whether it is built anew
// or from the one before, and all that is derived agrees with the rows.
func TestListingAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testListingAgainstModel(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

func testListingAgainstModel(t *testing.T, rnd *rand.Rand) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := openTest(t, Options{UndeleteWindow: time.Hour, Now: func() time.Time { return now }})
	type entry struct {
		uid     string
		deleted time.Time // zero while it is live
	}
	var all []entry // in delivery order
	fill(t, s, 1, 900)
	d := mustOpen(t, s, 1)
	for _, uid := range uidsOf(d) {
		all = append(all, entry{uid: uid})
	}
	mustClose(t, d)
	for range 30 {
		now = now.Add(time.Duration(rnd.IntN(20)) * time.Minute)
		switch rnd.IntN(6) {
		case 0, 1:
			fill(t, s, 1, 1+rnd.IntN(120))
			d := mustOpen(t, s, 1)
			for _, uid := range uidsOf(d) {
				if !slices.ContainsFunc(all, func(e entry) bool { return e.uid == uid }) {
					all = append(all, entry{uid: uid})
				}
			}
			mustClose(t, d)
		case 2, 3:
			d := mustOpen(t, s, 1)
			var deleted []int
			share := rnd.Float64()
			for i := range d.Len() {
				if rnd.Float64() < share {
					deleted = append(deleted, i)
				}
			}
			uids := uidsOf(d)
			if err := d.Update(t.Context(), mailstore.Update{Deleted: deleted}); err != nil {
				t.Fatal(err)
			}
			for _, i := range deleted {
				j := slices.IndexFunc(all, func(e entry) bool { return e.uid == uids[i] })
				all[j].deleted = now
			}
			mustClose(t, d)
		case 4:
			since := now.Add(-time.Duration(rnd.IntN(60)) * time.Minute)
			if _, err := s.Undelete(t.Context(), 1, since); err != nil {
				t.Fatal(err)
			}
			for i := range all {
				if !all[i].deleted.Before(since) {
					all[i].deleted = time.Time{}
				}
			}
		case 5:
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			all = slices.DeleteFunc(all, func(e entry) bool {
				return !e.deleted.IsZero() && now.Sub(e.deleted) >= time.Hour
			})
		}
		if rnd.IntN(3) == 0 {
			s.cache.clear()
		}
		var want []string
		for _, e := range all {
			if e.deleted.IsZero() {
				want = append(want, e.uid)
			}
		}
		d := mustOpen(t, s, 1)
		if got := uidsOf(d); !slices.Equal(got, want) {
			t.Fatalf("the listing has %d messages, want %d, or others", len(got), len(want))
		}
		u, err := s.Usage(t.Context(), 1)
		if err != nil || u.Messages != len(want) || u.Messages+u.DeletedMessages != len(all) || u.Octets != d.Octets() {
			t.Fatalf("usage %+v, %v, want %d and %d deleted of %d octets", u, err, len(want), len(all)-len(want), d.Octets())
		}
		mustClose(t, d)
		wantClean(t, s, 1)
	}
}

// An old listing is taken over into the new one: chunks that did not change are the same in memory.
func TestListingIsTakenOver(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	fill(t, s, 1, 2200)
	d := mustOpen(t, s, 1)
	before := d.(*drop).list
	if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{1500}}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	d = mustOpen(t, s, 1)
	defer mustClose(t, d)
	after := d.(*drop).list
	for i, g := range after.segments {
		if same := g == before.segments[i]; g.packed && same != (g.chunk != 1) {
			t.Errorf("chunk %d: taken over is %t", g.chunk, same)
		}
	}
	if before.len() != 2200 || after.len() != 2199 {
		t.Errorf("%d messages before, %d after", before.len(), after.len())
	}
}

// A listing is shared by all sessions of its revision, and going through it does not allocate.
func TestListingCosts(t *testing.T) {
	s := openTest(t, Options{})
	fill(t, s, 1, 1200)
	a := mustOpen(t, s, 1)
	b, err := s.Open(t.Context(), 1, mailstore.View{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	if a.(*drop).list != b.(*drop).list {
		t.Error("two sessions have two listings")
	}
	mustClose(t, b)
	buf := make([]byte, 0, maxUID)
	var sum int64
	if n := testing.AllocsPerRun(10, func() {
		for i := range a.Len() {
			buf = a.AppendUID(buf[:0], i)
			sum += a.Size(i)
		}
		for i := a.Len() - 1; i >= 0; i -= 7 {
			sum += a.Size(i)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	mustClose(t, a)
	// A warm sign-in: one transaction with one point query, whatever the size of the maildrop.
	if n := testing.AllocsPerRun(50, func() { mustClose(t, mustOpen(t, s, 1)) }); n > 60 {
		t.Errorf("opening a maildrop allocates %v times", n)
	}
}

func TestMessageOutOfRange(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	fill(t, s, 1, 3)
	d := mustOpen(t, s, 1)
	defer mustClose(t, d)
	for _, i := range []int{-1, 3} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Size(%d) of 3 messages does not panic", i)
				}
			}()
			d.Size(i)
		}()
	}
	for _, deleted := range [][]int{{3}, {-1}, {1, 1}, {1, 0}} {
		if err := d.Update(t.Context(), mailstore.Update{Deleted: deleted}); err == nil {
			t.Errorf("deleting %v of 3 messages succeeds", deleted)
		}
	}
	if u, err := s.Usage(t.Context(), 1); err != nil || u.Messages != 3 {
		t.Errorf("usage %+v, %v", u, err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	s := openTest(t, Options{ListingCache: limit})
	for id := range int64(20) {
		fill(t, s, id+1, 100) // some 4,500 octets
		mustClose(t, mustOpen(t, s, mailstore.DropID(id+1)))
		if s.cache.size > limit {
			t.Fatalf("the cache has %d octets, more than %d", s.cache.size, limit)
		}
	}
	if s.cache.get(20) == nil || s.cache.get(1) != nil {
		t.Error("the cache does not keep what was used last")
	}
	fill(t, s, 99, 1000)
	mustClose(t, mustOpen(t, s, 99))
	if s.cache.get(99) != nil || s.cache.get(20) == nil {
		t.Error("a listing larger than the cache pushed the others out")
	}
	none := openTest(t, Options{ListingCache: -1})
	fill(t, none, 1, 10)
	mustClose(t, mustOpen(t, none, 1))
	if none.cache.get(1) != nil {
		t.Error("a cache of no size keeps listings")
	}
}

// Sessions and the cache keep listings: one takes no more room than its messages need.
func TestListingHasNoSpareRoom(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{ListingCache: -1})
	fill(t, s, 1, 5)
	l, err := s.listing(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if r := l.segments[0].records; len(r) != 5 || cap(r) != 5 {
		t.Errorf("room for %d records, %d are there, want 5", cap(r), len(r))
	}
}

func TestCacheKeepsTheNewest(t *testing.T) {
	t.Parallel()
	c := newListingCache(1 << 20)
	full := []*segment{{records: make([]record, 10)}}
	for _, revision := range []int64{3, 5, 4} {
		c.put(&listing{drop: 1, revision: revision, segments: full, starts: []int{0, 10}})
	}
	if got := c.get(1).revision; got != 5 {
		t.Errorf("the cache has revision %d, want 5", got)
	}
	c.put(&listing{drop: 1, revision: 6, starts: []int{0}})
	if got := c.get(1); got != nil || c.size != 0 {
		t.Errorf("after the maildrop became empty: %+v, %d octets", got, c.size)
	}
}
