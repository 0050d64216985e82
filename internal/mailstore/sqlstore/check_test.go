package sqlstore

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

func execSQL(tb testing.TB, s *Store, query string, args ...any) {
	tb.Helper()
	err := s.cat.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func deliver(tb testing.TB, s *Store, text string, to ...mailstore.DropID) []mailstore.Receipt {
	tb.Helper()
	receipts, err := tryDeliver(s, text, to...)
	if err != nil {
		tb.Fatal(err)
	}
	return receipts
}

func tryDeliver(s *Store, text string, to ...mailstore.DropID) ([]mailstore.Receipt, error) {
	d, err := s.Begin(context.Background(), mailstore.Envelope{})
	if err != nil {
		return nil, err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, text); err != nil {
		return nil, err
	}
	var recipients []mailstore.Recipient
	for _, id := range to {
		recipients = append(recipients, mailstore.Recipient{Drop: id})
	}
	return d.Commit(context.Background(), recipients)
}

// Whatever happens to what is derived from the rows, Check says so, repairing builds it anew, and no message is lost.
// A session before the repair sees every message too unless what it would have to go by is gone.
func TestCheckMendsWhatIsDerived(t *testing.T) {
	t.Parallel()
	prepared := t.TempDir()
	t.Run("prepare", func(t *testing.T) { // closes the store at its end
		s := openTestAt(t, prepared, Options{})
		fill(t, s, 1, 1150)
		d := mustOpen(t, s, 1)
		if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{0, 1, 2, 1030, 1149}}); err != nil {
			t.Fatal(err)
		}
		mustClose(t, d)
		wantClean(t, s, 1)
	})
	flip := `UPDATE packs SET data = CAST(SUBSTR(data, 1, 300) AS BLOB) || X'FF' || CAST(SUBSTR(data, 302) AS BLOB) WHERE chunk = 1`
	for _, tt := range []struct {
		name   string
		damage string
		opens  bool // with all messages, before it is repaired
	}{
		{"pack damaged", flip, true},
		{"pack truncated", "UPDATE packs SET data = X'01' WHERE chunk = 0", true},
		{"pack of another chunk", "UPDATE packs SET data = (SELECT data FROM packs WHERE chunk = 0) WHERE chunk = 1", true},
		{"packs missing", "DELETE FROM packs", true},
		{"chunks missing", "DELETE FROM chunks", false},
		{"live set short", "UPDATE chunks SET live = X'0000', messages = 1 WHERE chunk = 1", false},
		{"live set not one", "UPDATE chunks SET live = X'00' WHERE chunk = 1", false},
		{"tail set", "UPDATE drops SET tail_deleted = X'0000'", false},
		{"tail set not one", "UPDATE drops SET tail_deleted = X'00'", false},
		{"counters", "UPDATE drops SET messages = 7, octets = 7", true},
		{"deleted counters", "UPDATE drops SET deleted_messages = 7", true},
		{"next number", "UPDATE drops SET next_seq = 5", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(prepared)); err != nil {
				t.Fatal(err)
			}
			s := openTestAt(t, dir, Options{})
			d := mustOpen(t, s, 1)
			want := uidsOf(d)
			mustClose(t, d)
			execSQL(t, s, tt.damage)
			s.cache.clear()
			if d, err := s.Open(t.Context(), 1, mailstore.View{}); err == nil {
				if got := uidsOf(d); tt.opens && len(got) != len(want) {
					t.Errorf("before the repair a session sees %d messages, want %d", len(got), len(want))
				}
				mustClose(t, d)
			} else if tt.opens {
				t.Errorf("before the repair: %v", err)
			}
			wantListingProblems(t, s, mailstore.CheckOptions{}, true, false)
			wantListingProblems(t, s, mailstore.CheckOptions{Repair: true}, true, true)
			wantListingProblems(t, s, mailstore.CheckOptions{}, false, false)
			d = mustOpen(t, s, 1)
			got := uidsOf(d)
			mustClose(t, d)
			if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
				t.Errorf("after the repair there are %d messages, want %d, or others", len(got), len(want))
			}
			if n, err := s.Undelete(t.Context(), 1, s.opt.Now().AddDate(-1, 0, 0)); n != 5 || err != nil {
				t.Errorf("undelete after the repair: %d, %v, want 5", n, err)
			}
			wantClean(t, s, 1)
			fill(t, s, 1, packEvery)
			wantClean(t, s, 1)
		})
	}
}

// wantListingProblems checks the store and looks at what it says of listings. The bodies of fill do not exist.
func wantListingProblems(t *testing.T, s *Store, opt mailstore.CheckOptions, some, repaired bool) {
	t.Helper()
	report, err := s.Check(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range report.Problems {
		if p.Kind == mailstore.ProblemListingWrong {
			n++
			if p.Repaired != repaired || p.Drop != 1 || p.Detail == "" {
				t.Errorf("problem %+v", p)
			}
		}
	}
	if (n > 0) != some {
		t.Errorf("%+v: %d problems with listings", opt, n)
	}
}

// Facts that can be computed again are set right, in rows, packs and listings alike.
func TestCheckMendsFacts(t *testing.T) {
	t.Parallel()
	for _, tail := range []bool{true, false} {
		s := openTest(t, Options{})
		deliver(t, s, "A: b\n\n.dot\n", 1)
		if !tail {
			for range packEvery {
				deliver(t, s, "A: b\n\nc\n", 1)
			}
		}
		mustClose(t, mustOpen(t, s, 1))                                                              // now the listing is in memory
		if err := s.repairFacts(t.Context(), 1, 0, &body.Facts{Header: 5, Wire: true}); err != nil { // puts the wrong ones everywhere
			t.Fatal(err)
		}
		mustClose(t, mustOpen(t, s, 1))
		report, err := s.Check(t.Context(), mailstore.CheckOptions{Digests: true, Repair: true})
		if err != nil || len(report.Problems) != 1 || report.Problems[0].Kind != mailstore.ProblemFactsWrong || !report.Problems[0].Repaired {
			t.Fatalf("in the tail %t: %+v, %v", tail, report.Problems, err)
		}
		if report, err = s.Check(t.Context(), mailstore.CheckOptions{Digests: true}); err != nil || len(report.Problems) != 0 {
			t.Errorf("in the tail %t, after the repair: %+v, %v", tail, report.Problems, err)
		}
		d := mustOpen(t, s, 1)
		b, err := d.Body(t.Context(), 0)
		if err != nil || b.Wire || b.Header != 8 {
			t.Errorf("in the tail %t: the listing says %+v, %v", tail, b, err)
		}
		if err := b.R.Close(); err != nil {
			t.Error(err)
		}
		mustClose(t, d)
	}
}

func TestCheckReportsEveryKind(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{})
	deliver(t, s, "x", 1, 2)
	calls := 0
	report, err := s.Check(t.Context(), mailstore.CheckOptions{Progress: func(done, total int) {
		calls++
		if done > total || total != 2 {
			t.Errorf("%d of %d", done, total)
		}
	}})
	if err != nil || report.Drops != 2 || report.Messages != 2 || report.Octets != 6 || len(report.Problems) != 0 || calls < 3 {
		t.Errorf("%+v, %v, %d calls", report, err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Check(ctx, mailstore.CheckOptions{}); err == nil {
		t.Error("a check that was cancelled succeeds")
	}
}

// However much is wrong, the report stays small.
func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	var c checker
	for range maxProblems + 5 {
		c.problem(mailstore.Problem{Kind: mailstore.ProblemBodyMissing})
	}
	if len(c.report.Problems) != maxProblems || c.report.More != 5 {
		t.Errorf("%d problems and %d more", len(c.report.Problems), c.report.More)
	}
}
