package collect_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/collect"
)

// TestModel does to a mailbox what servers, other clients and networks do to it, in any order, and runs the account in
// between. However it goes, each message that stayed at the source until a run without a fault is in the sinks once, and
// nothing is deleted that they do not have.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, nil)
		b.box.noTop = rapid.Bool().Draw(rt, "noTop")
		b.account.Rules.Delete = rapid.Bool().Draw(rt, "delete")
		b.account.Rules.DeleteAfter = rapid.SampledFrom([]time.Duration{0, 10 * time.Minute}).Draw(rt, "deleteAfter")
		second := &shelf{name: "second", unsafe: true}
		b.account.Sinks = append(b.account.Sinks, second)
		var sent []letter
		next, generation := 0, 0
		taken := map[string]bool{} // by another client, perhaps before we had them
		has := func(s *shelf, l letter) bool { return slices.Contains(s.bodies, l.body) }

		// settle checks what must hold after any run.
		settle := func(clean bool) {
			for _, s := range []*shelf{b.sink, second} {
				seen := map[string]bool{}
				for _, body := range s.bodies {
					if seen[body] {
						rt.Fatalf("%s has a message twice: %q", s.name, body)
					}
					seen[body] = true
				}
			}
			at := map[string]bool{}
			for _, l := range b.box.letters {
				at[l.body] = true
			}
			for _, l := range sent {
				there := has(b.sink, l) && has(second, l)
				if !there && !at[l.body] && !taken[l.body] {
					rt.Fatalf("lost: %q", l.body)
				}
				if clean && !there && at[l.body] {
					rt.Fatalf("not fetched: %q", l.body)
				}
			}
		}
		heal := func() {
			b.box.list, b.box.retrieve, b.box.delete, b.box.finish, b.box.finished = nil, nil, nil, nil, nil
			b.sink.commit, second.commit = nil, nil
		}
		rt.Repeat(map[string]func(*rapid.T){
			"arrive": func(rt *rapid.T) {
				l := message(next)
				l.uid = fmt.Sprintf("g%d-%d", generation, next)
				switch rapid.IntRange(0, 5).Draw(rt, "uid") {
				case 0:
					l.uid = ""
				case 1:
					l.uid = "same"
				}
				next++
				sent = append(sent, l)
				b.box.letters = append(b.box.letters, l)
			},
			"another client deletes": func(rt *rapid.T) {
				if len(b.box.letters) == 0 {
					rt.Skip()
				}
				i := rapid.IntRange(0, len(b.box.letters)-1).Draw(rt, "i")
				taken[b.box.letters[i].body] = true
				b.box.letters = slices.Delete(slices.Clone(b.box.letters), i, i+1)
			},
			"renumber": func(*rapid.T) {
				generation++
				b.box.letters = slices.Clone(b.box.letters)
				for i := range b.box.letters {
					b.box.letters[i].uid = fmt.Sprintf("g%d-%d", generation, i)
				}
			},
			"reorder": func(rt *rapid.T) {
				b.box.letters = rapid.Permutation(b.box.letters).Draw(rt, "order")
			},
			"run with a fault": func(rt *rapid.T) {
				n := rapid.IntRange(0, 4).Draw(rt, "after")
				trip := func() error {
					if n--; n < 0 {
						return errors.New("fault")
					}
					return nil
				}
				later := func(collect.Letter) error {
					if trip() != nil {
						return &collect.TemporaryError{Err: errors.New("full")}
					}
					return nil
				}
				switch rapid.SampledFrom([]string{"list", "short", "retrieve", "refuse", "delete", "finish", "finished", "sink", "second"}).Draw(rt, "where") {
				case "list":
					b.box.list = func([]collect.Remote) ([]collect.Remote, error) { return nil, errors.New("fault") }
				case "short":
					b.box.list = func(l []collect.Remote) ([]collect.Remote, error) { return l[:min(n, len(l))], nil }
				case "retrieve":
					b.box.retrieve = func(letter) error { return trip() }
				case "refuse":
					b.box.retrieve = func(letter) error {
						if trip() != nil {
							return &collect.MessageError{Err: errors.New("-ERR")}
						}
						return nil
					}
				case "delete":
					b.box.delete = func(letter) error { return trip() }
				case "finish":
					b.box.finish = func() error { return errors.New("fault") }
				case "finished":
					b.box.finished = func() error { return errors.New("fault") }
				case "sink":
					b.sink.commit = later
				case "second":
					second.commit = later
				}
				_, _ = b.tryRun()
				heal()
				settle(false)
			},
			"run": func(rt *rapid.T) {
				b.clock = b.clock.Add(25 * time.Hour) // what was set aside is tried again
				if _, err := b.tryRun(); err != nil {
					rt.Fatal(err)
				}
				settle(true)
			},
		})
	})
}
