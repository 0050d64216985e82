package collect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
)

// Small messages share a commit of the journal where every sink knows what it has; else each has its own.
func TestMessagesShareCommits(t *testing.T) {
	t.Parallel()
	const each = 16
	big := messages(40)
	for i := range big {
		big[i].body += strings.Repeat(strings.Repeat("x", 70)+"\r\n", 6000) // 432 kB: two at a time
	}
	for _, tt := range []struct {
		name    string
		letters []letter
		unsafe  bool
		commits int
	}{
		{"safe sink", messages(40), false, (40 + each - 1) / each},
		{"unsafe sink", messages(40), true, 40},
		{"large messages", big, false, 20},
	} {
		b := newBench(t, tt.letters)
		second := &shelf{name: "other", unsafe: tt.unsafe}
		b.account.Sinks = append(b.account.Sinks, second)
		saves := 0
		collect.SetStep(&b.opt, func(name string) {
			if name == "save" {
				saves++
			}
		})
		b.run()
		if want := tt.commits + 2; saves != want { // one for the listing, one at the end
			t.Errorf("%s: %d commits, want %d", tt.name, saves, want)
		}
		b.wantBodies(tt.letters)
		wantBodies(t, second, tt.letters)
	}
}

// A message that kills the process is alone from the second time on, so that it is set aside and no other one is, and what
// was in a sink when the process died is not there twice.
func TestKillerAmongOthers(t *testing.T) {
	t.Parallel()
	all := messages(40)
	b := newBench(t, slices.Clone(all))
	b.account.Rules.MaxAttempts = 3
	b.box.retrieve = func(l letter) error {
		if l.uid == "uid5" {
			panic("killed")
		}
		return nil
	}
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			_, _ = b.tryRun()
		}()
	}
	b.wantBodies(slices.Delete(slices.Clone(all), 5, 6))
	rep := b.run()
	if len(rep.SetAside) != 1 || rep.SetAside[0].UID != "uid5" || rep.SetAside[0].Attempts != 3 {
		t.Errorf("set aside: %+v", rep.SetAside)
	}
}

// What was begun together with a message that ended the session was not tried.
func TestBegunIsNotTried(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(20))
	b.account.Rules.MaxAttempts = 2
	b.box.retrieve = func(l letter) error {
		if l.uid == "uid0" || l.uid == "uid1" {
			return errCut
		}
		return nil
	}
	for range 3 { // uid0, uid1, and then, after all others, uid0 again
		_, _ = b.tryRun()
	}
	b.wantBodies(messages(20)[2:])
	rep, _ := b.tryRun()
	for _, p := range rep.SetAside {
		if p.UID != "uid0" && p.UID != "uid1" {
			t.Errorf("%s was set aside", p.UID)
		}
	}
}
