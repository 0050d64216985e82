package collect_test

import (
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect"
)

// What another collector has fetched is not fetched again, and the rules treat it as if it had been fetched here then.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		rules collect.Rules
		leave bool
		want  []string // at the source after two runs
	}{
		{"keep", collect.Rules{}, false, []string{"uid0", "uid1", "uid2"}},
		{"delete", collect.Rules{Delete: true}, false, nil},
		{"delete, but leave the old ones", collect.Rules{Delete: true}, true, []string{"uid0", "uid1"}},
		{"delete after some time", collect.Rules{Delete: true, DeleteAfter: 24 * time.Hour}, false, []string{"uid1", "uid2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := messages(3)
			b := newBench(t, all)
			b.account.Rules = test.rules
			old := []collect.Adopted{
				{UID: "uid0", Fetched: b.clock.Add(-48 * time.Hour)}, {UID: "uid1"}, {UID: ""}, {UID: "gone"}, {UID: "uid1"},
			}
			for i, want := range []int{3, 0} {
				if n, err := b.opt.Adopt(t.Context(), "home", old, test.leave); n != want || err != nil {
					t.Fatalf("time %d: %d were added, %v, want %d", i+1, n, err, want)
				}
			}
			if rep := b.run(); rep.Fetched != 1 || rep.Failed != 0 {
				t.Errorf("first run: %+v", rep)
			}
			b.wantBodies(all[2:])
			if rep := b.run(); rep.Fetched != 0 || b.box.retrieved != 1 {
				t.Errorf("second run: %+v, %d messages were downloaded in all", rep, b.box.retrieved)
			}
			b.wantUIDs(test.want...)
		})
	}
}

// While an account is being fetched, nothing is adopted.
func TestAdoptLocked(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(1))
	b.sink.commit = func(collect.Letter) error {
		if _, err := b.opt.Adopt(t.Context(), "home", []collect.Adopted{{UID: "x"}}, false); collect.Classify(err) != collect.Busy {
			t.Errorf("during a run: %v", err)
		}
		return nil
	}
	b.run()
}
