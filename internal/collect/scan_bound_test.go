package collect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// A guard is a scanner that can tell whether it is there.
type guard struct {
	mindReader
	away  error
	asked int
	stall bool // gives no answer about messages with this word in them
}

func (g *guard) Ready(context.Context) error {
	g.asked++
	return g.away
}

func (g *guard) Scan(ctx context.Context, l collect.Letter, message *io.SectionReader) (collect.Finding, error) {
	text := make([]byte, message.Size())
	if _, err := message.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return collect.Finding{}, err
	}
	if g.stall && strings.Contains(string(text), "stall") {
		return collect.Finding{}, &collect.TemporaryError{Err: errors.New("no answer in time")}
	}
	return g.mindReader.Scan(ctx, l, message)
}

// Nothing is downloaded for a scanner that is not there.
func TestNothingIsDownloadedForAScannerThatIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned("good", "good", "good"))
	away := &guard{away: errors.New("away")}
	b.account.Rules = collect.Rules{Delete: true, Scan: away}
	for range 10 {
		rep, err := b.tryRun()
		if collect.Classify(err) != collect.Temporary || rep.Failed > 0 || len(rep.SetAside) > 0 {
			t.Fatalf("%+v %v", rep, err)
		}
	}
	if b.box.retrieved != 0 {
		t.Errorf("%d messages were downloaded", b.box.retrieved)
	}
	plan, err := collect.Plan(t.Context(), b.account, b.opt)
	if err != nil || len(plan) != 3 || plan[0].Action != collect.ActionLater || plan[0].Reason != "away" {
		t.Errorf("plan: %+v %v", plan, err)
	}
	away.away = nil
	if rep := b.run(); rep.Fetched != 3 || rep.Deleted != 3 {
		t.Errorf("when it is back: %+v", rep)
	}
	away.away, away.asked = errors.New("away"), 0
	if b.run(); away.asked != 0 {
		t.Error("it was asked although there was nothing to look at")
	}
}

// A message on which the scanner fails each time costs five downloads, then one a day, and keeps no other from coming. Once
// the scanner can tell, it comes.
func TestMessageThatStallsTheScanner(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned("good", "stall", "good"))
	scanner := &guard{stall: true}
	b.account.Rules = collect.Rules{Delete: true, Scan: scanner}
	downloads := 0
	b.box.retrieve = func(l letter) error {
		if l.uid == "uid1" {
			downloads++
		}
		return nil
	}
	var rep collect.Report
	for range 12 {
		rep = b.run()
	}
	if downloads != 5 || len(rep.SetAside) != 1 || rep.SetAside[0].Error != "no answer in time" || rep.SetAside[0].Attempts != 5 {
		t.Errorf("%d downloads, %+v", downloads, rep)
	}
	b.wantUIDs("uid1")
	b.clock = b.clock.Add(24 * time.Hour)
	for range 3 {
		b.run()
	}
	if downloads != 6 {
		t.Errorf("a day later: %d downloads, want one more", downloads)
	}
	scanner.stall = false
	b.clock = b.clock.Add(24 * time.Hour)
	if rep := b.run(); rep.Fetched != 1 || rep.Deleted != 1 {
		t.Errorf("when it can tell: %+v", rep)
	}
}

// A scanner that is there and fails on everything does not have the whole mailbox downloaded.
func TestScannerThatFailsOnEverything(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned(slices.Repeat([]string{"stall"}, 50)...))
	b.account.Rules = collect.Rules{Scan: &guard{stall: true}}
	if _, err := b.tryRun(); collect.Classify(err) != collect.Temporary || b.box.retrieved != 3 {
		t.Errorf("%v after %d messages", err, b.box.retrieved)
	}
}

// Nor are messages set aside for it: once it can tell again, they come.
func TestScannerThatFailedOnEverythingForAWhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned("stall", "stall", "stall"))
	scanner := &guard{stall: true}
	b.account.Rules = collect.Rules{Scan: scanner}
	for n := range 7 { // more often than MaxAttempts
		if rep, err := b.tryRun(); collect.Classify(err) != collect.Temporary || rep.Failed != 3 || len(rep.SetAside) > 0 {
			t.Fatalf("run %d: %v, %+v", n, err, rep)
		}
	}
	scanner.stall = false
	if rep := b.run(); rep.Fetched != 3 {
		t.Errorf("%+v", rep)
	}
}

// While a scanner takes its time, the server hears of us.
func TestSessionIsKeptAliveWhileAMessageIsLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, messages(1))
		b.opt.Now = nil
		box := &alive{mailbox: b.box, begun: time.Now()}
		b.account.Source = box
		b.account.Rules.Scan = slowScanner{}
		if rep := b.run(); rep.Fetched != 1 || !slices.Equal(box.at, []time.Duration{2 * time.Minute}) {
			t.Errorf("kept alive after %v, %+v", box.at, rep)
		}
	})
}

type slowScanner struct{}

func (slowScanner) Scan(context.Context, collect.Letter, *io.SectionReader) (collect.Finding, error) {
	time.Sleep(3 * time.Minute)
	return collect.Finding{}, nil
}

// A fickle scanner says something else each time.
type fickle struct{ findings []collect.Finding }

func (f *fickle) Scan(context.Context, collect.Letter, *io.SectionReader) (collect.Finding, error) {
	now := f.findings[0]
	f.findings = f.findings[1:]
	return now, nil
}

// What was found counts from the moment that a sink may have the message: a scanner that changes its mind before the others
// have it is not asked again.
func TestScannerChangesItsMind(t *testing.T) {
	t.Parallel()
	full := &collect.TemporaryError{Err: errors.New("full")}
	tagged, jailed := collect.Finding{Fields: "X-Bad: no\r\n"}, collect.Finding{Verdict: collect.Quarantine, Fields: "X-Bad: yes\r\n", Why: "bad"}
	for _, test := range []struct {
		name          string
		first, second collect.Finding
	}{
		{"quarantine, then fetch", jailed, tagged},
		{"fetch, then quarantine", tagged, jailed},
		{"fetch, then leave", tagged, collect.Finding{Verdict: collect.Leave}},
		{"fetch, then drop", tagged, collect.Finding{Verdict: collect.Discard}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := messages(1)
			b := newBench(t, slices.Clone(all))
			second, cell, deeper := &shelf{name: "second"}, &shelf{name: "cell"}, &shelf{name: "deeper"}
			b.account.Sinks = append(b.account.Sinks, second)
			b.account.Rules = collect.Rules{Delete: true, Quarantine: []collect.Sink{cell, deeper}, Scan: &fickle{[]collect.Finding{test.first, test.second}}}
			fails := func(collect.Letter) error { return full }
			second.commit, deeper.commit = fails, fails
			if rep := b.run(); rep.Failed != 1 {
				t.Fatalf("%+v", rep)
			}
			second.commit, deeper.commit = nil, nil
			rep := b.run()
			if rep.Fetched != 1 || rep.Deleted != 1 || (rep.Quarantined == 1) != (test.first.Verdict == collect.Quarantine) {
				t.Errorf("%+v", rep)
			}
			want := []letter{{body: test.first.Fields + all[0].body}}
			for _, s := range []*shelf{b.sink, second, cell, deeper} {
				if (s == cell || s == deeper) == (test.first.Verdict == collect.Quarantine) {
					wantBodies(t, s, want)
				} else {
					wantBodies(t, s, nil)
				}
			}
			if rep.Quarantined == 1 && !slices.Equal(rep.Warnings, []string{"message uid0 is in quarantine: bad"}) {
				t.Errorf("%q", rep.Warnings)
			}
		})
	}
}

// A message that no sink was given is looked at again: until then a scanner may change its mind.
func TestScannerIsAskedAgainWhileNoSinkHasTheMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	cell := &shelf{name: "cell"}
	b.account.Rules = collect.Rules{
		Quarantine: []collect.Sink{cell},
		Scan:       &fickle{[]collect.Finding{{}, {Verdict: collect.Quarantine, Why: "bad"}}},
	}
	b.sink.begin = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("down")} }
	b.run()
	if rep := b.run(); rep.Quarantined != 1 || len(b.sink.bodies) != 0 {
		t.Errorf("%+v", rep)
	}
}

// A scanner is not asked about a message that some destination got while there was none: the others get it, too.
func TestScannerThatIsAddedLater(t *testing.T) {
	t.Parallel()
	all := messages(1)
	b := newBench(t, slices.Clone(all))
	second, cell := &shelf{name: "second"}, &shelf{name: "cell"}
	b.account.Sinks = append(b.account.Sinks, second)
	b.account.Rules.Delete = true
	second.commit = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("full")} }
	b.run()
	second.commit = nil
	b.account.Rules.Scan, b.account.Rules.Quarantine = &fickle{[]collect.Finding{{Verdict: collect.Quarantine, Why: "bad"}}}, []collect.Sink{cell}
	if rep := b.run(); rep.Fetched != 1 || rep.Deleted != 1 || rep.Quarantined != 0 {
		t.Errorf("%+v", rep)
	}
	b.wantBodies(all)
	wantBodies(t, second, all)
	wantBodies(t, cell, nil)
}

// What a scanner wanted in quarantine goes nowhere else when nobody scans any more.
func TestScannerThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	all := messages(1)
	b := newBench(t, slices.Clone(all))
	cell := &shelf{name: "cell"}
	b.account.Rules = collect.Rules{
		Delete: true, Quarantine: []collect.Sink{cell},
		Scan: &fickle{[]collect.Finding{{Verdict: collect.Quarantine, Fields: "X-Bad: yes\r\n", Why: "bad"}}},
	}
	cell.commit = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("full")} }
	b.run()
	cell.commit = nil
	b.account.Rules.Scan, b.account.Rules.Quarantine = nil, nil
	if rep := b.run(); rep.Fetched != 0 || rep.Failed != 1 {
		t.Errorf("without a quarantine: %+v", rep)
	}
	b.account.Rules.Quarantine = []collect.Sink{cell}
	if rep := b.run(); rep.Quarantined != 1 || rep.Deleted != 1 {
		t.Errorf("with a quarantine again: %+v", rep)
	}
	b.wantBodies(nil)
	wantBodies(t, cell, []letter{{body: "X-Bad: yes\r\n" + all[0].body}})
}

// What was found in a message is not held to be about another one that got its UID: that is looked at itself, and delivered
// also if the first one was, right before a crash.
func TestWhatWasFoundIsNotOfAnotherMessage(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			t.Parallel()
			first, second := message(1), message(2)
			second.uid = first.uid
			second.size, first.size = 100, 100
			b := newBench(t, []letter{first})
			b.account.Rules = collect.Rules{Delete: true, Scan: &fickle{[]collect.Finding{{Fields: "X-Bad: no\r\n"}, {Fields: "X-Bad: yes\r\n"}}}}
			want := []letter{{body: "X-Bad: yes\r\n" + second.body}}
			if crash {
				want = append(want, letter{body: "X-Bad: no\r\n" + first.body})
				b.sink.committed = func() { panic("power failure") }
			} else {
				b.sink.commit = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("full")} }
			}
			func() {
				defer func() { _ = recover() }()
				b.run()
			}()
			b.sink.commit, b.sink.committed = nil, nil
			b.box.letters = []letter{second}
			if rep := b.run(); rep.Fetched != 1 || rep.Deleted != 1 {
				t.Errorf("%+v", rep)
			}
			b.wantBodies(want)
		})
	}
}

// What a scanner adds to a message is bounded.
func TestScannerThatAddsTooMuch(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	b.account.Rules.Scan = &fickle{[]collect.Finding{{Fields: "X: " + strings.Repeat("x", 8<<10) + "\r\n"}}}
	if rep := b.run(); rep.Failed != 1 || rep.Fetched != 0 {
		t.Errorf("%+v", rep)
	}
}

// A scanner that needs a person, before or while it looks at a message, ends the run, and no message is set aside for it.
func TestScannerThatNeedsAPerson(t *testing.T) {
	t.Parallel()
	for _, ready := range []bool{true, false} {
		b := newBench(t, scanned("good", "good"))
		wrong := &collect.PermanentError{Err: errors.New("wrong password")}
		scanner := &guard{}
		if scanner.down = wrong; !ready {
			scanner.away = wrong
		}
		b.account.Rules.Scan, b.account.Rules.MaxAttempts = scanner, 2
		for n := range 4 {
			rep, err := b.tryRun()
			if want := map[bool]int{true: n + 1, false: 0}[ready]; collect.Classify(err) != collect.Permanent || b.box.retrieved != want || len(rep.SetAside) > 0 {
				t.Fatalf("%v, %d downloads, want %d, %+v", err, b.box.retrieved, want, rep)
			}
		}
		scanner.down, scanner.away = nil, nil
		if rep := b.run(); rep.Fetched != 2 {
			t.Errorf("%+v", rep)
		}
	}
}
