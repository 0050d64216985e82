package collect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

func TestFetchesOnceAndLeavesMail(t *testing.T) {
	t.Parallel()
	all := messages(5)
	b := newBench(t, all)
	if rep := b.run(); rep.Fetched != 5 || rep.New != 5 || rep.Listed != 5 || rep.Deleted != 0 {
		t.Errorf("first run: %+v", rep)
	}
	if rep := b.run(); rep.Fetched != 0 || rep.New != 0 || b.box.retrieved != 5 {
		t.Errorf("second run: %+v", rep)
	}
	b.wantBodies(all)
	b.wantUIDs("uid0", "uid1", "uid2", "uid3", "uid4")
}

// New is what no run has seen before, also when runs follow each other within a second, and when only the header of a message
// tells that it is known.
func TestNewIsNewOnce(t *testing.T) {
	t.Parallel()
	for _, nameless := range []bool{false, true} {
		b := newBench(t, messages(3))
		if nameless {
			b.box.noTop = true
			for i := range b.box.letters {
				b.box.letters[i].uid = ""
			}
		}
		for i, want := range []int{3, 0, 1, 0} {
			if i == 2 {
				l := message(3)
				if nameless {
					l.uid = ""
				}
				b.box.letters = append(b.box.letters, l)
			}
			rep, err := collect.Run(t.Context(), b.account, b.opt) // the clock stands still
			if err != nil || rep.New != want {
				t.Errorf("nameless %v, run %d: %d are new, want %d; %v", nameless, i, rep.New, want, err)
			}
		}
	}
}

func TestFetchesAndDeletes(t *testing.T) {
	t.Parallel()
	all := messages(5)
	b := newBench(t, all)
	b.account.Rules.Delete = true
	if rep := b.run(); rep.Fetched != 5 || rep.Deleted != 5 || rep.DeletesPending != 0 {
		t.Errorf("run: %+v", rep)
	}
	b.wantUIDs()
	b.wantBodies(all)
}

// Thunderbird and mpop download everything again after one empty listing, fetchmail and fdm after one that is cut in
// half, getmail after 30 days.
func TestShrinkingListErasesNoMemory(t *testing.T) {
	t.Parallel()
	all := messages(8)
	b := newBench(t, all)
	b.run()
	b.box.list = func([]collect.Remote) ([]collect.Remote, error) { return nil, nil }
	b.run()
	b.box.list = func(l []collect.Remote) ([]collect.Remote, error) { return l[:4], nil }
	b.run()
	b.box.list = func([]collect.Remote) ([]collect.Remote, error) { return nil, errors.New("-ERR UIDL") }
	if _, err := b.tryRun(); err == nil {
		t.Error("a failing listing is no error")
	}
	b.box.list = nil
	b.clock = b.clock.Add(60 * 24 * time.Hour) // nobody ran it for two months
	if rep := b.run(); rep.Fetched != 0 || b.box.retrieved != 8 {
		t.Errorf("after the listing came back: %+v, %d retrieved", rep, b.box.retrieved)
	}
	b.wantBodies(all)
}

func TestForgetsWhatIsLongGoneAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(3))
	b.run()
	gone := b.box.letters[2]
	b.box.letters = b.box.letters[:2]
	b.run() // missing from here on
	for day, want := range map[int]int{29: 3, 31: 2} {
		b.clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(day) * 24 * time.Hour)
		if day == 29 {
			b.run()
			if s, err := b.opt.Journal.Status(t.Context(), "home"); err != nil || s.Remembered != want {
				t.Errorf("day %d: %d remembered, %v", day, s.Remembered, err)
			}
		}
	}
	b.clock = time.Date(2026, 12, 23, 13, 0, 0, 0, time.UTC)
	b.run()
	if s, err := b.opt.Journal.Status(t.Context(), "home"); err != nil || s.Remembered != 2 {
		t.Errorf("%d remembered, %v, want 2: those that are still listed", s.Remembered, err)
	}
	b.box.letters = append(b.box.letters, gone)
	if rep := b.run(); rep.Fetched != 1 {
		t.Errorf("what was forgotten comes back: %+v", rep)
	}
}

// A migration gives every message a new UID.
func TestRenumberedMailboxIsNoticed(t *testing.T) {
	t.Parallel()
	for _, noTop := range []bool{false, true} {
		t.Run(fmt.Sprintf("noTop=%v", noTop), func(t *testing.T) {
			t.Parallel()
			all := messages(6)
			b := newBench(t, slices.Clone(all))
			b.box.noTop = noTop
			b.run()
			for i := range b.box.letters {
				b.box.letters[i].uid = fmt.Sprintf("new%d", i)
				b.box.letters[i].size = int64(1000 + i) // another server counts in another way
			}
			b.box.letters = append(b.box.letters, message(6))
			rep := b.run()
			if rep.Fetched != 1 || rep.Renumbered != 6 {
				t.Errorf("after renumbering: %+v", rep)
			}
			b.wantBodies(append(all, message(6)))
			before := b.box.retrieved + b.box.headers
			b.run()
			if b.box.retrieved+b.box.headers != before {
				t.Error("the new UIDs were not learnt")
			}
		})
	}
}

// getmail deletes the second message unread; fdm gives up the account.
func TestDuplicateUIDs(t *testing.T) {
	t.Parallel()
	for _, noTop := range []bool{false, true} {
		for _, del := range []bool{false, true} {
			t.Run(fmt.Sprintf("noTop=%v,delete=%v", noTop, del), func(t *testing.T) {
				t.Parallel()
				all := messages(4)
				all[1].uid, all[2].uid = "same", "same"
				b := newBench(t, slices.Clone(all))
				b.box.noTop = noTop
				b.account.Rules.Delete = del
				b.run()
				b.run()
				third := message(9)
				third.uid = "same"
				b.box.letters = append(b.box.letters, third)
				b.run()
				b.run()
				b.wantBodies(append(all, third))
				if del {
					b.wantUIDs()
				}
			})
		}
	}
}

// A server that uses the Message-ID as UID has none for spam.
func TestEmptyUIDs(t *testing.T) {
	t.Parallel()
	for _, noTop := range []bool{false, true} {
		for _, del := range []bool{false, true} {
			t.Run(fmt.Sprintf("noTop=%v,delete=%v", noTop, del), func(t *testing.T) {
				t.Parallel()
				all := messages(4)
				for i := range all {
					all[i].uid = ""
				}
				all = append(all, letter{body: "Subject: bare\r\n\r\nno date\r\n"}, all[3]) // weak, and a true duplicate
				b := newBench(t, slices.Clone(all))
				b.box.noTop = noTop
				b.account.Rules.Delete = del
				b.run()
				b.run()
				b.run()
				b.wantBodies(all)
				if del {
					b.wantUIDs()
				}
			})
		}
	}
}

// RFC 1939 lets a server use a UID again once its message is gone; some do.
func TestReusedUIDIsANewMessage(t *testing.T) {
	t.Parallel()
	for _, noTop := range []bool{false, true} {
		t.Run(fmt.Sprintf("noTop=%v", noTop), func(t *testing.T) {
			t.Parallel()
			first, second := message(1), message(2)
			second.uid = first.uid
			second.size, first.size = 100, 100
			b := newBench(t, []letter{first})
			b.box.noTop = noTop
			b.account.Rules.Delete = true
			b.run()
			b.box.letters = []letter{second}
			b.run()
			b.wantBodies([]letter{first, second})
		})
	}
}

// A message is not deleted because its UID was once another's.
func TestDeletesNothingItDoesNotHave(t *testing.T) {
	t.Parallel()
	first, second := message(1), message(2)
	second.uid = first.uid
	second.size, first.size = 100, 100
	b := newBench(t, []letter{first})
	b.account.Rules = collect.Rules{Delete: true, DeleteAfter: time.Hour}
	b.run()
	b.box.letters = []letter{second}
	b.clock = b.clock.Add(2 * time.Hour)
	b.run()
	b.wantUIDs(first.uid)
	b.wantBodies([]letter{first, second})
}

// fetchmail: "does not track pending deletes across crashes". fdm never deletes such a message again.
func TestPendingDeleteIsSentAgainWithoutDelivery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		lose     func(b *mailbox)
		stillOne bool
	}{
		{"QUIT not sent", func(b *mailbox) { b.finish = func() error { return errors.New("cut") } }, true},
		{"answer to QUIT lost", func(b *mailbox) { b.finished = func() error { return errors.New("cut") } }, false},
		{"DELE fails", func(b *mailbox) { b.delete = func(letter) error { return errors.New("cut") } }, true},
		{"DELE refused", func(b *mailbox) {
			b.delete = func(letter) error { return &collect.MessageError{Num: 1, Err: errors.New("-ERR")} }
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := messages(2)
			b := newBench(t, slices.Clone(all))
			b.account.Rules.Delete = true
			test.lose(b.box)
			rep, err := b.tryRun()
			if rep.DeletesPending != 2 || rep.Deleted != 0 || rep.Fetched != 2 || (err == nil) != (test.name == "DELE refused") {
				t.Errorf("%+v, %v", rep, err)
			}
			b.box.finish, b.box.finished, b.box.delete = nil, nil, nil
			rep = b.run()
			if want := map[bool]int{true: 2, false: 0}[test.stillOne]; rep.Deleted != want || rep.Fetched != 0 {
				t.Errorf("second run: %+v", rep)
			}
			b.wantUIDs()
			b.wantBodies(all)
			if b.box.retrieved != 2 {
				t.Errorf("%d retrieved", b.box.retrieved)
			}
		})
	}
}

// odoo loops over the same undeliverable mail for ever.
func TestPoisonIsSetAsideAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	for _, kills := range []bool{false, true} { // a refusal, or a cut each time
		t.Run(fmt.Sprintf("kills=%v", kills), func(t *testing.T) {
			t.Parallel()
			all := messages(4)
			b := newBench(t, slices.Clone(all))
			b.account.Rules = collect.Rules{Delete: true, MaxAttempts: 3}
			b.box.retrieve = func(l letter) error {
				switch {
				case l.uid != "uid1":
					return nil
				case kills:
					return errors.New("connection reset")
				}
				return &collect.MessageError{Num: 2, Err: errors.New("-ERR cannot open message")}
			}
			for range 5 {
				_, _ = b.tryRun()
			}
			b.wantUIDs("uid1")
			b.wantBodies(slices.Delete(slices.Clone(all), 1, 2))
			before := b.box.retrieved
			rep := b.run()
			if len(rep.SetAside) != 1 || rep.SetAside[0].UID != "uid1" || rep.SetAside[0].Attempts != 3 || rep.SetAside[0].Error == "" {
				t.Errorf("set aside: %+v", rep)
			}
			if b.box.retrieved != before {
				t.Error("what is set aside was tried")
			}
			b.box.retrieve = nil
			b.clock = b.clock.Add(25 * time.Hour)
			if rep := b.run(); rep.Fetched != 1 || len(rep.SetAside) != 0 {
				t.Errorf("a day later: %+v", rep)
			}
			b.wantBodies(all)
		})
	}
}

// A sink that may have a message already is told so also when somebody asked for another try: it looks for it first.
func TestRetryIsAnotherTry(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	var again []bool
	b.sink.commit = func(l collect.Letter) error {
		again = append(again, l.Again)
		return &collect.TemporaryError{Err: errors.New("it has the message, but its answer was lost")}
	}
	b.run()
	if n, err := b.opt.Journal.Retry(t.Context(), "home"); n != 1 || err != nil {
		t.Fatalf("Retry: %d, %v", n, err)
	}
	b.run()
	if !slices.Equal(again, []bool{false, true}) {
		t.Errorf("tried before: %v, want at the second try", again)
	}
}

func TestRetryTakesWhatWasSetAside(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	b.account.Rules.MaxAttempts = 1
	b.box.retrieve = func(letter) error { return &collect.MessageError{Num: 1, Err: errors.New("-ERR")} }
	b.run()
	b.box.retrieve = nil
	if rep := b.run(); len(rep.SetAside) != 1 || rep.Fetched != 0 {
		t.Errorf("%+v", rep)
	}
	if n, err := b.opt.Journal.Retry(t.Context(), "home"); n != 1 || err != nil {
		t.Errorf("Retry: %d, %v", n, err)
	}
	if rep := b.run(); rep.Fetched != 1 {
		t.Errorf("%+v", rep)
	}
}

// Exchange sends nothing for some messages.
func TestEmptyAnswerIsNoMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t, []letter{{uid: "u", size: 500}})
	b.account.Rules.Delete = true
	if rep := b.run(); rep.Fetched != 0 || rep.Failed != 1 || len(b.sink.bodies) != 0 {
		t.Errorf("%+v", rep)
	}
	b.wantUIDs("u")
}

// A server with EXPIRE 0 deletes at QUIT what was read.
func TestNoQuitWhileTheServerWouldDeleteWhatNobodyHas(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(2))
	b.box.info = collect.SessionInfo{Expires: true}
	b.account.Rules.Delete = true
	down := true
	b.sink.commit = func(collect.Letter) error {
		if down {
			return &collect.TemporaryError{Err: errors.New("disk full")}
		}
		return nil
	}
	if _, err := b.tryRun(); collect.Classify(err) != collect.Temporary || b.box.finishes != 0 {
		t.Errorf("%v, %d QUITs", err, b.box.finishes)
	}
	down = false
	if rep := b.run(); rep.Fetched != 2 || rep.Deleted != 2 {
		t.Errorf("%+v", rep)
	}
}

// That the session was dropped, or that something could not be deleted, does not hide that a destination needs a person.
func TestWhatElseFailsHidesNoPersonsWork(t *testing.T) {
	t.Parallel()
	wrong, passing := &collect.PermanentError{Err: errors.New("wrong password")}, errors.New("connection reset")
	for _, test := range []struct {
		name         string
		sink, finish error
		expires      bool
	}{
		{"EXPIRE 0", wrong, nil, true},
		{"a lost session", wrong, &collect.TemporaryError{Err: passing}, false},
		{"nothing may be deleted", &collect.TemporaryError{Err: errors.New("full")}, wrong, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, messages(3))
			b.box.info = collect.SessionInfo{Expires: test.expires}
			b.box.finish = func() error { return test.finish }
			b.sink.commit = func(collect.Letter) error { return test.sink }
			_, err := b.tryRun()
			if collect.Classify(err) != collect.Permanent || !strings.Contains(err.Error(), "wrong password") || !strings.Contains(err.Error(), "; ") {
				t.Errorf("%v: %v", collect.Classify(err), err)
			}
		})
	}
}

// What was read and is left there, by a filter that had to see the message itself or by a scanner, must not be deleted
// either.
func TestNoQuitWhileTheServerWouldDeleteWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		noTop bool
		rules collect.Rules
	}{
		{"filter", true, collect.Rules{Filter: func(context.Context, []byte) (collect.Verdict, error) { return collect.Leave, nil }}},
		{"scanner", false, collect.Rules{Scan: &mindReader{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, scanned("leave"))
			b.box.info, b.box.noTop, b.account.Rules = collect.SessionInfo{Expires: true}, test.noTop, test.rules
			b.account.Rules.Delete = true
			if rep, err := b.tryRun(); collect.Classify(err) != collect.Temporary || b.box.finishes != 0 || rep.Skipped != 1 {
				t.Errorf("%v, %d QUITs, %+v", err, b.box.finishes, rep)
			}
			if b.run(); b.box.retrieved != 1 || b.box.finishes != 1 { // it is not read again
				t.Errorf("%d read, %d QUITs", b.box.retrieved, b.box.finishes)
			}
		})
	}
	t.Run("known by its header only", func(t *testing.T) {
		t.Parallel()
		l := message(0)
		l.uid = ""
		b := newBench(t, []letter{l})
		b.box.info, b.box.noTop = collect.SessionInfo{Expires: true}, true
		b.account.Rules.Filter = func(context.Context, []byte) (collect.Verdict, error) { return collect.Leave, nil }
		for range 2 {
			if _, err := b.tryRun(); collect.Classify(err) != collect.Temporary || b.box.finishes != 0 {
				t.Errorf("%v, %d QUITs", err, b.box.finishes)
			}
		}
	})
}

func TestBodyGetsCRLFAndTrace(t *testing.T) {
	t.Parallel()
	b := newBench(t, []letter{{uid: "u", body: "Subject: x\n\nbare\nmixed\r\n\n\r\n\rx\n"}})
	b.account.Rules.Trace = true
	b.account.Host = "pop.example.com"
	b.opt.Hostname = "here.example"
	b.run()
	trace, rest, _ := strings.Cut(b.sink.bodies[0], "Subject")
	if rest != ": x\r\n\r\nbare\r\nmixed\r\n\r\n\r\n\rx\r\n" {
		t.Errorf("got %q", rest)
	}
	want := "Received: from pop.example.com by here.example with POP3 id " + b.sink.letters[0].Key +
		"\r\n\t(account home); Sun, 22 Nov 2026 12:01:00 +0000\r\n"
	if trace != want {
		t.Errorf("trace %q, want %q", trace, want)
	}
}

// Exchange and Notes give other headers with TOP than with RETR, others send ten lines, or the whole message.
func TestTOPThatDiffersFromRETR(t *testing.T) {
	t.Parallel()
	for name, top := range map[string]func(string) string{
		"without a Message-ID": func(h string) string { return strings.Replace(h, "Message-ID:", "X-Was:", 1) },
		"one line":             func(h string) string { h, _, _ = strings.Cut(h, "\r\n"); return h },
		"nothing":              func(string) string { return "" },
		"the whole message":    func(h string) string { return h + "\r\n\r\n" + strings.Repeat("body\r\n", 100_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := messages(4)
			b := newBench(t, slices.Clone(all))
			b.box.top = top
			b.account.Rules = collect.Rules{Delete: true, DeleteAfter: time.Hour}
			b.run()
			for i := range b.box.letters {
				b.box.letters[i].uid += "new"
			}
			b.run()
			b.run()
			b.clock = b.clock.Add(2 * time.Hour)
			b.run()
			b.wantBodies(all)
			b.wantUIDs()
		})
	}
}
