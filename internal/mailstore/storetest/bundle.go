package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
)

// Messages that come in while another one is being made durable may share a file. What happens to one of them, refusal,
// deletion or removal of its maildrop, does not concern the others.
func testBundle(t *testing.T, f *fixture) {
	synctest.Test(t, func(t *testing.T) {
		given := mailstore.Envelope{UID: "given"}
		if _, err := try(f.store(t), given, "zero\r\n", alice); err != nil {
			t.Fatal(err)
		}
		g := faultfs.NewGate(f.cfg.Bodies)
		f.cfg.Bodies = g
		s := f.store(t)
		var wg sync.WaitGroup
		for _, m := range []struct {
			env   mailstore.Envelope
			text  string
			drops []mailstore.DropID
			want  error
		}{
			{text: "alone\r\n", drops: []mailstore.DropID{alice}},
			{text: "one\r\n", drops: []mailstore.DropID{alice}},
			{env: given, text: "refused\r\n", drops: []mailstore.DropID{alice}, want: mailstore.ErrUIDTaken},
			{text: "two\r\n", drops: []mailstore.DropID{bob}},
			{text: "three\r\n", drops: []mailstore.DropID{alice, bob}},
		} {
			wg.Go(func() {
				if _, err := try(s, m.env, m.text, m.drops...); !errors.Is(err, m.want) {
					t.Errorf("delivering %q: %v, want %v", m.text, err, m.want)
				}
			})
			synctest.Wait()
		}
		close(g.Open)
		wg.Wait()

		if files := bodyFiles(t, f.bodies); len(files) != 3 {
			t.Errorf("%d files on disk, want one for zero, one for alone, and one for all others", len(files))
		}
		has := func(id mailstore.DropID, want ...string) {
			t.Helper()
			got := texts(contents(t, s, id))
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("maildrop %d has %q, want %q", id, got, want)
			}
		}
		has(alice, "zero\r\n", "alone\r\n", "one\r\n", "three\r\n")
		has(bob, "two\r\n", "three\r\n")
		clean(t, s)

		watching := openDrop(t, s, alice, mailstore.View{Shared: true})
		defer closeDrop(t, watching)
		one := slices.Index(texts(contents(t, s, alice)), "one\r\n")
		remove(t, s, alice, one)
		sweep := func(messages, bodies int) {
			t.Helper()
			f.clock.advance(window + time.Minute)
			if r, err := s.Sweep(t.Context()); err != nil || r.Messages != messages || r.Bodies != bodies {
				t.Errorf("Sweep: %+v, %v, want %d messages and %d bodies", r, err, messages, bodies)
			}
		}
		sweep(1, 1)
		has(alice, "zero\r\n", "alone\r\n", "three\r\n")
		has(bob, "two\r\n", "three\r\n")
		if b, err := watching.Body(t.Context(), one); CanPunch(t) && !errors.Is(err, mailstore.ErrGone) {
			t.Errorf("Body of a swept message: %v, want ErrGone", err)
			if err == nil {
				_ = b.R.Close()
			}
		}
		if err := s.Remove(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		has(bob, "two\r\n", "three\r\n")
		clean(t, s)
		remove(t, s, bob, 0, 1)
		sweep(2, 2)
		if left := bodyFiles(t, f.bodies); len(left) > 0 {
			t.Errorf("left on disk: %q", left)
		}
	})
}
