package collect_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3/pop3client"
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

// A session that ends in the rest of a message that is not wanted any more is no fault of the next message.
func TestSessionEndsInWhatIsSkipped(t *testing.T) {
	t.Parallel()
	for _, spoil := range []func(b *bench){
		func(b *bench) {
			b.box.noTop = true
			b.account.Rules.Filter = func(_ context.Context, header []byte) (collect.Verdict, error) {
				return 0, errors.New("out of order")
			}
		},
		func(b *bench) { b.account.Rules.Scan, b.opt.SpoolFolder = &mindReader{}, "/nonexistent" },
	} {
		b := newBench(t, messages(2))
		spoil(b)
		b.account.Rules.MaxAttempts = 1
		reset := errors.New("connection reset")
		b.box.body = func(l letter) io.Reader {
			head, _, _ := strings.Cut(l.body, "body")
			return io.MultiReader(strings.NewReader(head), iotest.ErrReader(reset))
		}
		rep, err := b.tryRun()
		if !errors.Is(err, reset) || len(rep.SetAside) > 0 || rep.Failed != 1 || b.box.finishes != 0 {
			t.Errorf("%v, %d QUITs, %+v", err, b.box.finishes, rep)
		}
	}
}

// A large message that no destination takes ends the session, because the rest of it is not downloaded. That is no fault of the
// next one, and what the destination says still counts.
func TestSessionEndsInALargeMessage(t *testing.T) {
	t.Parallel()
	large := message(0)
	large.body += strings.Repeat(strings.Repeat("x", 70)+"\r\n", 130_000)
	for _, test := range []struct {
		err  error
		want collect.Class
	}{
		{&collect.PermanentError{Err: errors.New("wrong certificate")}, collect.Permanent},
		{&collect.TemporaryError{Err: errors.New("disk full")}, collect.Temporary},
		{errors.New("too large"), collect.Temporary},
	} {
		b := newBench(t, nil)
		srv := newServer(t)
		srv.add(t, "bob", []letter{large, message(1)})
		b.account.Source = srv.source(t, "bob", pop3client.Options{DialContext: srv.dial(func(c net.Conn) net.Conn { return c })})
		b.account.Rules.MaxAttempts = 2
		b.sink.begin = func(l collect.Letter) error {
			if strings.Contains(string(l.Header), "Subject: 0") {
				return test.err
			}
			return nil
		}
		rep, err := b.tryRun()
		if collect.Classify(err) != test.want || rep.Failed != 1 || !strings.Contains(err.Error(), test.err.Error()) {
			t.Errorf("%v: %v, %+v", test.err, err, rep)
		}
		if s, err := b.opt.Journal.Status(t.Context(), "home"); err != nil || s.Waiting != 2 || s.SetAside != 1 {
			t.Errorf("%v: %+v, %v", test.err, s, err)
		}
		err = collect.ErrLocked
		for i := 0; collect.Classify(err) == collect.Busy && i < 10_000; i++ { // the server has not noticed yet that we are gone
			rep, err = collect.Run(t.Context(), b.account, b.opt)
		}
		if rep.Fetched != 1 {
			t.Errorf("%v: it keeps the next one from coming: %+v", test.err, rep)
		}
	}
}
