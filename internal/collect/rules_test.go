package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
)

// An outcome is what a run did with each message of a listing, by its UID.
func outcomes(b *bench, all []letter) map[string]string {
	got := map[string]string{}
	for _, l := range all {
		word := ""
		if slices.Contains(b.sink.bodies, l.body) {
			word = "fetched"
		}
		if !slices.ContainsFunc(b.box.letters, func(o letter) bool { return o.uid == l.uid }) {
			word += " deleted"
		}
		got[l.uid] = word
	}
	return got
}

func dated(i int, date time.Time) letter {
	return letter{uid: fmt.Sprintf("uid%d", i), body: fmt.Sprintf("Message-ID: <%d@d>\r\nDate: %s\r\n\r\n%d\r\n", i, date.Format(time.RFC1123Z), i)}
}

// Each rule, by what one run leaves behind. The plan made before says the same.
func TestRules(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	sized := func(sizes ...int64) []letter {
		all := messages(len(sizes))
		for i := range all {
			all[i].size = sizes[i]
		}
		return all
	}
	for _, test := range []struct {
		name    string
		rules   collect.Rules
		letters []letter
		want    map[string]string
		// downloads is how many messages were retrieved, headers how many headers.
		downloads, headers int
	}{
		{
			"leave on server",
			collect.Rules{},
			messages(2),
			map[string]string{"uid0": "fetched", "uid1": "fetched"},
			2, 0,
		},
		{
			"delete",
			collect.Rules{Delete: true},
			messages(2),
			map[string]string{"uid0": "fetched deleted", "uid1": "fetched deleted"},
			2, 0,
		},
		{
			"delete later",
			collect.Rules{Delete: true, DeleteAfter: time.Hour},
			messages(2),
			map[string]string{"uid0": "fetched", "uid1": "fetched"},
			2, 0,
		},
		{
			"keep newest",
			collect.Rules{Delete: true, KeepNewest: 2},
			messages(3),
			map[string]string{"uid0": "fetched deleted", "uid1": "fetched", "uid2": "fetched"},
			3, 0,
		},
		{
			"skip above",
			collect.Rules{Delete: true, SkipAbove: 500},
			sized(400, 501, 500),
			map[string]string{"uid0": "fetched deleted", "uid1": "", "uid2": "fetched deleted"},
			2, 0,
		},
		{
			"delete above",
			collect.Rules{DeleteAbove: 500},
			sized(400, 501, 500),
			map[string]string{"uid0": "fetched", "uid1": " deleted", "uid2": "fetched"},
			2, 0,
		},
		{
			"start now",
			collect.Rules{Delete: true, Start: collect.StartNow},
			messages(3),
			map[string]string{"uid0": "", "uid1": "", "uid2": ""},
			0, 0,
		},
		{
			"start recent",
			collect.Rules{Delete: true, Start: collect.StartRecent, StartAge: 7 * 24 * time.Hour},
			[]letter{dated(0, noon.AddDate(0, 0, -8)), dated(1, noon.AddDate(0, 0, -6)), {uid: "uid2", body: "Subject: no date\r\n\r\n"}},
			map[string]string{"uid0": "", "uid1": "fetched deleted", "uid2": "fetched deleted"},
			2, 3,
		},
		{
			"filter",
			collect.Rules{Delete: true, Filter: func(_ context.Context, h []byte) (collect.Verdict, error) {
				switch {
				case bytes.Contains(h, []byte("Subject: 0\r\n")):
					return collect.Leave, nil
				case bytes.Contains(h, []byte("Subject: 1\r\n")):
					return collect.Discard, nil
				case bytes.Contains(h, []byte("Subject: 2\r\n")):
					return 0, errors.New("filter is broken")
				}
				return collect.Fetch, nil
			}},
			messages(4),
			map[string]string{"uid0": "", "uid1": " deleted", "uid2": "", "uid3": "fetched deleted"},
			1, 4,
		},
		{
			"messages per run",
			collect.Rules{Delete: true, MaxMessages: 2},
			messages(3),
			map[string]string{"uid0": "fetched deleted", "uid1": "fetched deleted", "uid2": ""},
			2, 0,
		},
		{
			"octets per run",
			collect.Rules{Delete: true, MaxOctets: 1000},
			sized(600, 400, 1),
			map[string]string{"uid0": "fetched deleted", "uid1": "fetched deleted", "uid2": ""},
			2, 0,
		},
		{
			"one is always fetched",
			collect.Rules{MaxOctets: 1000},
			sized(6000, 400),
			map[string]string{"uid0": "fetched", "uid1": ""},
			1, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, slices.Clone(test.letters))
			b.account.Rules = test.rules
			plan, err := collect.Plan(t.Context(), b.account, b.opt)
			if err != nil {
				t.Fatal(err)
			}
			planned := map[string]string{}
			for _, d := range plan {
				planned[d.UID] = map[collect.Action]string{
					collect.ActionFetch: "fetched", collect.ActionDelete: " deleted", collect.ActionDiscard: " deleted",
				}[d.Action]
				if d.Delete {
					planned[d.UID] += " deleted"
				}
				if d.Reason == "" {
					t.Errorf("%s: no reason", d.UID)
				}
			}
			if diff := cmp.Diff(test.want, planned); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if len(b.sink.bodies) > 0 || b.box.retrieved > 0 || b.box.deletes > 0 {
				t.Error("the plan did something")
			}
			b.box.headers = 0
			b.run()
			if diff := cmp.Diff(test.want, outcomes(b, test.letters)); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
			if b.box.retrieved != test.downloads || b.box.headers != test.headers {
				t.Errorf("%d messages and %d headers downloaded, want %d and %d", b.box.retrieved, b.box.headers, test.downloads, test.headers)
			}
		})
	}
}

func TestStartNowFetchesWhatComesLater(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(3))
	b.account.Rules = collect.Rules{Start: collect.StartNow, Delete: true}
	b.run()
	b.box.letters = append(b.box.letters, message(3))
	b.run()
	b.wantBodies([]letter{message(3)})
	b.wantUIDs("uid0", "uid1", "uid2")
}

// What was left at the start is not fetched because the server gives it new UIDs.
func TestStartNowSurvivesRenumbering(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(3))
	b.account.Rules = collect.Rules{Start: collect.StartNow}
	b.run()
	for i := range b.box.letters {
		b.box.letters[i].uid += "new"
	}
	b.box.letters = append(b.box.letters, dated(9, b.clock.Add(time.Hour)))
	if rep := b.run(); rep.Fetched != 1 || rep.Renumbered != 3 {
		t.Errorf("%+v", rep)
	}
}

func TestDeletesAfterDays(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(2))
	b.account.Rules = collect.Rules{Delete: true, DeleteAfter: 48 * time.Hour}
	b.run()
	b.clock = b.clock.Add(47 * time.Hour)
	b.run()
	b.wantUIDs("uid0", "uid1")
	b.clock = b.clock.Add(time.Hour)
	if rep := b.run(); rep.Deleted != 2 || b.box.retrieved != 2 {
		t.Errorf("%+v", rep)
	}
	b.wantUIDs()
}

func TestWarnsWhenTheServerDeletesEarlier(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.box.info = collect.SessionInfo{Expires: true, ExpireDays: 5}
	for _, test := range []struct {
		rules collect.Rules
		want  int
	}{
		{collect.Rules{}, 1},
		{collect.Rules{Delete: true}, 0},
		{collect.Rules{Delete: true, DeleteAfter: 14 * 24 * time.Hour}, 1},
		{collect.Rules{Delete: true, DeleteAfter: 4 * 24 * time.Hour}, 0},
	} {
		b.account.Rules = test.rules
		if rep := b.run(); len(rep.Warnings) != test.want {
			t.Errorf("%+v: %q", test.rules, rep.Warnings)
		}
	}
}

// Several sinks: all have a message before it is deleted, and one that has it is not given it again.
func TestAllSinksOrItStays(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"begin", "commit"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := messages(2)
			b := newBench(t, slices.Clone(all))
			other := &shelf{name: "other"}
			down := func(l collect.Letter) error {
				if l.UID == "uid0" {
					return &collect.TemporaryError{Err: errors.New("not now")}
				}
				return nil
			}
			if kind == "begin" {
				other.begin = down
			} else {
				other.commit = down
			}
			b.account.Sinks = append(b.account.Sinks, other)
			b.account.Rules.Delete = true
			for range 10 { // more often than MaxAttempts: it is not the message's fault
				if rep := b.run(); rep.Failed != 1 || len(rep.SetAside) != 0 {
					t.Fatalf("%+v", rep)
				}
			}
			b.wantUIDs("uid0")
			other.begin, other.commit = nil, nil
			b.run()
			b.wantUIDs()
			wantBodies(t, other, all)
			b.wantBodies(all)
			if b.sink.begun != 2 {
				t.Errorf("the sink that had them was given %d letters", b.sink.begun)
			}
			if b.sink.keys[other.letters[0].Key] != true {
				t.Error("the sinks know the letter by different keys")
			}
		})
	}
}

// What one sink has goes to the others, too, if the filter has changed its mind meanwhile.
func TestAllSinksWhateverTheFilterSaysLater(t *testing.T) {
	t.Parallel()
	for _, later := range []collect.Verdict{collect.Leave, collect.Discard} {
		all := messages(1)
		b := newBench(t, slices.Clone(all))
		other := &shelf{name: "other", commit: func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("full")} }}
		b.account.Sinks = append(b.account.Sinks, other)
		says := collect.Fetch
		b.account.Rules = collect.Rules{Delete: true, Filter: func(context.Context, []byte) (collect.Verdict, error) { return says, nil }}
		b.run()
		says, other.commit = later, nil
		if rep := b.run(); rep.Fetched != 1 || rep.Deleted != 1 || rep.Discarded != 0 {
			t.Errorf("%v: %+v", later, rep)
		}
		wantBodies(t, other, all)
		b.wantBodies(all)
	}
}

// A sink that cannot take back what it has is given a letter only when the others have it.
func TestUnsafeSinksComeLast(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	unsafe := &shelf{name: "program", unsafe: true}
	b.account.Sinks = []collect.Sink{unsafe, b.sink}
	b.sink.commit = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("full")} }
	b.run()
	if len(unsafe.bodies) != 0 {
		t.Error("the program was given the letter")
	}
	b.sink.commit = nil
	b.run()
	wantBodies(t, unsafe, messages(1))
}

// A sink that is down does not make us download the whole mailbox each time.
func TestGivesUpWhenASinkIsDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(50))
	b.sink.begin = func(collect.Letter) error { return &collect.TemporaryError{Err: errors.New("down")} }
	if _, err := b.tryRun(); collect.Classify(err) != collect.Temporary || b.box.retrieved != 3 {
		t.Errorf("%v after %d messages", err, b.box.retrieved)
	}
}

// Neither does a filter that fails where only the whole message shows it the header; and --dry-run says what would be done.
func TestGivesUpWhenTheFilterFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(50))
	b.box.noTop = true
	b.account.Rules.Filter = func(context.Context, []byte) (collect.Verdict, error) { return 0, errors.New("out of order") }
	for n := range 10 {
		rep, err := b.tryRun()
		if collect.Classify(err) != collect.Temporary || b.box.retrieved != 3*(n+1) || len(rep.SetAside) != 0 {
			t.Fatalf("%v after %d messages, %+v", err, b.box.retrieved, rep)
		}
	}
	b.box.noTop = false
	plan, err := collect.Plan(t.Context(), b.account, b.opt)
	if err != nil || plan[0].Action != collect.ActionLater || plan[0].Reason != "filter failed: out of order" {
		t.Errorf("%+v %v", plan[0], err)
	}
}

// A sink that needs a person ends the run and is no message's fault: nothing is set aside, and all comes when it is mended.
func TestSinkThatNeedsAPerson(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"begin", "commit"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := messages(5)
			b := newBench(t, slices.Clone(all))
			other := &shelf{name: "other", unsafe: true}
			wrong := func(collect.Letter) error { return &collect.PermanentError{Err: errors.New("wrong certificate")} }
			if kind == "begin" {
				other.begin = wrong
			} else {
				other.commit = wrong
			}
			b.account.Sinks = append(b.account.Sinks, other)
			b.account.Rules.Delete = true
			for n := range 10 { // more often than MaxAttempts
				rep, err := b.tryRun()
				sink, _ := errors.AsType[*collect.SinkError](err)
				if collect.Classify(err) != collect.Permanent || sink == nil || sink.Sink != "other" || b.box.retrieved != n+1 || len(rep.SetAside) != 0 {
					t.Fatalf("run %d: %v after %d messages, %+v", n, err, b.box.retrieved, rep)
				}
			}
			other.begin, other.commit = nil, nil
			b.run()
			b.wantUIDs()
			wantBodies(t, other, all)
			b.wantBodies(all)
		})
	}
}

func TestDedupeAcrossAccounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(3))
	b.run()
	second := b.account
	second.Name = "work"
	box := &mailbox{letters: append(messages(2), message(7))}
	second.Source = box
	second.Rules = collect.Rules{Dedupe: true, Delete: true}
	rep, err := collect.Run(t.Context(), second, b.opt)
	if err != nil || rep.Fetched != 1 || rep.Duplicates != 2 || rep.Deleted != 3 {
		t.Errorf("%+v, %v", rep, err)
	}
	b.wantBodies(append(messages(3), message(7)))
}

// A run that is cancelled writes down what is done, and does not blame the message it was at.
func TestCancelledRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(4))
	b.account.Rules = collect.Rules{Delete: true, MaxAttempts: 1}
	ctx, cancel := context.WithCancel(t.Context())
	b.sink.commit = func(l collect.Letter) error {
		if l.UID == "uid1" {
			cancel()
			return &collect.TemporaryError{Err: errors.New("cannot go on")}
		}
		return nil
	}
	rep, err := collect.Run(ctx, b.account, b.opt)
	if collect.Classify(err) != collect.Cancelled || rep.Fetched != 1 || rep.Deleted != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if s, err := b.opt.Journal.Status(t.Context(), "home"); err != nil || s.Failures != 0 || s.Error != "" || s.Fetched != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	b.sink.commit = nil
	if rep := b.run(); rep.Fetched != 3 || rep.Deleted != 4 {
		t.Errorf("%+v", rep)
	}
}

func TestBandwidth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := "Subject: big\r\n\r\n" + string(bytes.Repeat([]byte("0123456789abcde\n"), 1000))
		b := newBench(t, []letter{{uid: "u", body: body}})
		b.account.Rules.Bandwidth = 1000
		begun := time.Now()
		b.run()
		if took := time.Since(begun).Seconds(); took < 15.9 || took > 17 {
			t.Errorf("16016 octets at 1000 a second took %.1f s", took)
		}
	})
}

func TestProgressAddsUp(t *testing.T) {
	t.Parallel()
	all := append(messages(3), letter{uid: "big", body: "Date: x\r\n\r\n" + string(bytes.Repeat([]byte("0123456789abcd\r\n"), 20_000))})
	b := newBench(t, all)
	b.account.Rules.Delete = true
	var kinds []string
	var last collect.Event
	b.opt.Progress = func(e collect.Event) {
		if e.Account != "home" || e.Octets < last.Octets || e.Octets > e.TotalOctets || e.Messages > e.TotalMessages {
			t.Errorf("%+v after %+v", e, last)
		}
		last = e
		if len(kinds) == 0 || kinds[len(kinds)-1] != e.Kind.String() {
			kinds = append(kinds, e.Kind.String())
		}
	}
	b.run()
	if last.Messages != 4 || last.TotalMessages != 4 || last.Octets != last.TotalOctets || last.Kind != collect.EventFinished || kinds[0] != "opened" {
		t.Errorf("%+v %q", last, kinds)
	}
}

func TestAccountIsChecked(t *testing.T) {
	t.Parallel()
	good := newBench(t, nil)
	for name, spoil := range map[string]func(*collect.Account){
		"name":         func(a *collect.Account) { a.Name = "" },
		"source":       func(a *collect.Account) { a.Source = nil },
		"destination":  func(a *collect.Account) { a.Sinks = nil },
		"twice":        func(a *collect.Account) { a.Sinks = append(a.Sinks, a.Sinks[0]) },
		"negative":     func(a *collect.Account) { a.Rules.SkipAbove = -1 },
		"negative cap": func(a *collect.Account) { a.Rules.MaxMessages = -1 },
	} {
		a := good.account
		a.Sinks = slices.Clone(a.Sinks)
		spoil(&a)
		if _, err := collect.Run(t.Context(), a, good.opt); collect.Classify(err) != collect.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
}
