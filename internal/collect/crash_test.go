package collect_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
)

// A crash is what a process leaves behind that ends when a sink has just taken a message: nothing is written any more.
func crash(t *testing.T, b *bench, in *shelf) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	db, err := catalog.Open(t.Context(), path, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b.opt.Journal, err = collect.NewJournal(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	in.committed = func() {
		cancel()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := collect.Run(ctx, b.account, b.opt); err == nil {
		t.Fatal("the run went on")
	}
	in.committed = nil
	b.opt.Journal = openJournal(t, path)
}

// A sink that may have a message since a crash is told so, also where only its header tells which message it is.
func TestMayHaveItSinceACrash(t *testing.T) {
	t.Parallel()
	for _, nameless := range []bool{false, true} {
		l := message(0)
		if nameless {
			l.uid = ""
		}
		b := newBench(t, []letter{l})
		b.box.noTop, b.sink.unsafe = nameless, true
		crash(t, b, b.sink)
		b.run()
		if len(b.sink.letters) != 2 || b.sink.letters[0].Again || !b.sink.letters[1].Again || b.sink.letters[0].Key != b.sink.letters[1].Key {
			t.Errorf("nameless %v: it got %+v", nameless, b.sink.letters)
		}
	}
}

// A scanner that changes its mind after a crash does not have the message in two places.
func TestScannerChangesItsMindAfterACrash(t *testing.T) {
	t.Parallel()
	bad := collect.Finding{Verdict: collect.Quarantine, Fields: "X-Bad: yes\r\n", Why: "bad"}
	for _, findings := range [][]collect.Finding{{bad, {}}, {{}, bad}} {
		all := messages(1)
		b := newBench(t, slices.Clone(all))
		cell := &shelf{name: "cell"}
		b.account.Rules = collect.Rules{Quarantine: []collect.Sink{cell}, Scan: &fickle{findings}}
		place, other := b.sink, cell
		if findings[0].Verdict == collect.Quarantine {
			place, other = cell, b.sink
		}
		crash(t, b, place)
		if rep := b.run(); rep.Fetched != 1 {
			t.Errorf("%+v", rep)
		}
		wantBodies(t, place, []letter{{body: findings[0].Fields + all[0].body}})
		wantBodies(t, other, nil)
	}
}

// An attempt that was ended by us is taken back once.
func TestCancelledRunKeepsTheCount(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	final := errors.New("never")
	b.sink.commit = func(collect.Letter) error { return final }
	for range 3 {
		b.run()
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.sink.commit = func(collect.Letter) error {
		cancel()
		return &collect.TemporaryError{Err: errors.New("cannot go on")}
	}
	if _, err := collect.Run(ctx, b.account, b.opt); collect.Classify(err) != collect.Cancelled {
		t.Fatal(err)
	}
	b.sink.commit = func(collect.Letter) error { return final }
	b.run()
	if rep := b.run(); len(rep.SetAside) != 1 || rep.SetAside[0].Attempts != 5 {
		t.Errorf("after five attempts: %+v", rep)
	}
}

// Attempts are counted also where only the header tells which message it is.
func TestRefusedMessageWithoutANameIsReported(t *testing.T) {
	t.Parallel()
	l := message(0)
	l.uid = ""
	b := newBench(t, []letter{l})
	b.box.noTop = true
	b.sink.commit = func(collect.Letter) error { return errors.New("never") }
	for range 4 {
		b.run()
	}
	if rep := b.run(); len(rep.SetAside) != 1 || rep.SetAside[0].Attempts != 5 {
		t.Errorf("after five attempts: %+v", rep)
	}
}
