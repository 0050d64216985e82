package storetest

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/mailstore"
)

func testUndelete(t *testing.T, f *fixture) {
	s := f.store(t)
	var all []message
	for _, text := range []string{"0\r\n", "1\r\n", "2\r\n", "3\r\n"} {
		all = append(all, message{deliver(t, s, text, alice), text})
	}
	remove(t, s, alice, 1)
	first := f.clock.now()
	f.clock.advance(time.Hour)
	second := f.clock.now()
	remove(t, s, alice, 0, 2) // messages 0 and 3
	f.clock.advance(time.Hour)

	list, err := s.Deleted(t.Context(), alice, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[2].Info.UID != all[1].uid {
		t.Fatalf("Deleted: %+v, want 3 with the oldest deletion last", list)
	}
	for i, when := range []time.Time{second, second, first} {
		m := list[i]
		if !m.Deleted.Equal(when) || !m.Until.Equal(when.Add(window)) {
			t.Errorf("deleted at %v until %v, want %v until %v", m.Deleted, m.Until, when, when.Add(window))
		}
		if m.Info.Size != 3 || m.Info.Recipient != address(alice) {
			t.Errorf("Info is %+v", m.Info)
		}
	}
	if list, err := s.Deleted(t.Context(), alice, second); err != nil || len(list) != 2 {
		t.Errorf("Deleted since the second: %d, %v, want 2", len(list), err)
	}
	if list, err := s.Deleted(t.Context(), alice, second.Add(1)); err != nil || len(list) != 0 {
		t.Errorf("Deleted since later: %d, %v, want 0", len(list), err)
	}

	d := openDrop(t, s, alice, mailstore.View{})
	if n, err := s.Undelete(t.Context(), alice, second); err != nil || n != 2 {
		t.Fatalf("Undelete: %d, %v, want 2", n, err)
	}
	if d.Len() != 1 {
		t.Errorf("an open maildrop shows what came back: %d messages", d.Len())
	}
	closeDrop(t, d)
	sortByText := func(a, b message) int {
		if a.text < b.text {
			return -1
		}
		return 1
	}
	got := contents(t, s, alice)
	slices.SortFunc(got, sortByText)
	if want := []message{all[0], all[2], all[3]}; !slices.Equal(got, want) {
		t.Errorf("after Undelete: %q, want %q", got, want)
	}
	if n, err := s.Undelete(t.Context(), alice, time.Time{}); err != nil || n != 1 {
		t.Errorf("Undelete of the rest: %d, %v, want 1", n, err)
	}
	if list, err := s.Deleted(t.Context(), alice, time.Time{}); err != nil || len(list) != 0 {
		t.Errorf("nothing is deleted, but: %v, %v", list, err)
	}
	// What came back can be deleted again, and brought back again.
	remove(t, s, alice, 0, 1, 2, 3)
	if n, err := s.Undelete(t.Context(), alice, time.Time{}); err != nil || n != 4 {
		t.Errorf("Undelete again: %d, %v, want 4", n, err)
	}
	if n, err := s.Undelete(t.Context(), bob, time.Time{}); err != nil || n != 0 {
		t.Errorf("Undelete of another maildrop: %d, %v", n, err)
	}
}

func testSweep(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "keep\r\n", alice)
	deliver(t, s, "early\r\n", alice)
	deliver(t, s, "later\r\n", alice)
	remove(t, s, alice, 1)
	f.clock.advance(window / 2)
	remove(t, s, alice, 1)

	if r, err := s.Sweep(t.Context()); err != nil || r != (mailstore.SweepResult{}) {
		t.Errorf("inside the window: %+v, %v", r, err)
	}
	f.clock.advance(window/2 + time.Minute)
	r, err := s.Sweep(t.Context())
	if want := (mailstore.SweepResult{Messages: 1, Bodies: 1, Octets: 7}); err != nil || r != want {
		t.Errorf("after the first window: %+v, %v, want %+v", r, err, want)
	}
	if n, err := s.Undelete(t.Context(), alice, time.Time{}); err != nil || n != 1 {
		t.Errorf("Undelete after the sweep: %d, %v, want the later one", n, err)
	}
	if got := texts(contents(t, s, alice)); len(got) != 2 || !slices.Contains(got, "later\r\n") || !slices.Contains(got, "keep\r\n") {
		t.Errorf("left: %q", got)
	}
	if files := bodyFiles(t, f.bodies); len(files) != 2 {
		t.Errorf("%d bodies on disk, want 2", len(files))
	}
}

// A body that several maildrops share goes with the last of them.
func testSweepKeepsSharedBody(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "shared\r\n", alice, bob)
	remove(t, s, alice, 0)
	f.clock.advance(window + 24*time.Hour)
	if r, err := s.Sweep(t.Context()); err != nil || r.Messages != 1 {
		t.Errorf("Sweep: %+v, %v", r, err)
	}
	if got := texts(contents(t, s, bob)); !slices.Equal(got, []string{"shared\r\n"}) {
		t.Errorf("the other maildrop has %q", got)
	}
	remove(t, s, bob, 0)
	f.clock.advance(window + 24*time.Hour)
	if r, err := s.Sweep(t.Context()); err != nil || r.Messages != 1 {
		t.Errorf("second Sweep: %+v, %v", r, err)
	}
	if files := bodyFiles(t, f.bodies); len(files) != 0 {
		t.Errorf("left on disk: %q", files)
	}
}

// Bodies that belong to nothing go once they are old. A delivery in progress is not among them.
func testSweepOrphans(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "x", alice)
	orphan := f.orphan(t)
	d, err := s.Begin(t.Context(), mailstore.Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(t.Context(), []mailstore.Recipient{{Drop: bob}}); err != nil {
		t.Errorf("Commit after a sweep: %v", err)
	}
	if got := contents(t, s, bob); len(got) != 1 || len(got[0].text) != 1<<20+2 {
		t.Errorf("the delivery that was in progress: %d messages", len(got))
	}
	old := f.clock.now().Add(-30 * 24 * time.Hour)
	if err := os.Chtimes(orphan, old, old); err != nil {
		t.Fatal(err)
	}
	r, err := s.Sweep(t.Context())
	if err != nil || r.Bodies != 1 {
		t.Errorf("Sweep: %+v, %v", r, err)
	}
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the orphan is still there: %v", err)
	}
	if got := contents(t, s, alice); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

// orphan leaves a body behind that belongs to nothing, as a crash does, and returns its file.
func (f *fixture) orphan(t testing.TB) string {
	t.Helper()
	before := bodyFiles(t, f.bodies)
	w, err := body.NewDisk(f.cfg.Bodies, body.Options{}).Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, name := range bodyFiles(t, f.bodies) {
		if !slices.Contains(before, name) {
			return name
		}
	}
	t.Fatal("a new body makes no file")
	return ""
}

func testRemove(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "alice's\r\n", alice)
	deliver(t, s, "both\r\n", alice, bob)
	remove(t, s, alice, 0)
	open := openDrop(t, s, alice, mailstore.View{Shared: true})
	if err := s.Remove(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if b, err := open.Body(t.Context(), 0); err == nil {
		b.R.Close() // may still be there
	} else if !errors.Is(err, mailstore.ErrGone) && !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("Body in a removed maildrop: %v", err)
	}
	closeDrop(t, open)
	if _, err := s.Open(t.Context(), alice, mailstore.View{}); !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("Open: %v, want ErrRemoved", err)
	}
	if _, err := try(s, mailstore.Envelope{}, "x", alice); !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("Commit: %v, want ErrRemoved", err)
	}
	if _, err := try(s, mailstore.Envelope{}, "x", bob, alice); !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("Commit to both: %v, want ErrRemoved", err)
	}
	if n, err := s.Undelete(t.Context(), alice, time.Time{}); n != 0 || err != nil && !errors.Is(err, mailstore.ErrRemoved) {
		t.Errorf("Undelete: %d, %v", n, err)
	}
	if got := texts(contents(t, s, bob)); !slices.Equal(got, []string{"both\r\n"}) {
		t.Errorf("the other maildrop has %q", got)
	}
	f.clock.advance(window + 24*time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Bodies that belonged to it alone are gone by now or are old enough to go.
	for _, name := range bodyFiles(t, f.bodies) {
		old := f.clock.now().Add(-30 * 24 * time.Hour)
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files := bodyFiles(t, f.bodies); len(files) != 1 {
		t.Errorf("%d bodies on disk, want bob's alone", len(files))
	}
	if got := texts(contents(t, s, bob)); !slices.Equal(got, []string{"both\r\n"}) {
		t.Errorf("after the sweep the other maildrop has %q", got)
	}
}

func testUsage(t *testing.T, f *fixture) {
	s := f.store(t)
	expect := func(want mailstore.Usage) {
		t.Helper()
		if got, err := s.Usage(t.Context(), alice); err != nil || got != want {
			t.Errorf("Usage is %+v, %v, want %+v", got, err, want)
		}
	}
	deliver(t, s, "12345678", alice)
	deliver(t, s, "123456789012345678", alice)
	deliver(t, s, "not counted", bob)
	expect(mailstore.Usage{Messages: 2, Octets: 30})
	remove(t, s, alice, 0)
	expect(mailstore.Usage{Messages: 1, Octets: 20, DeletedMessages: 1, DeletedOctets: 10})
	if _, err := s.Undelete(t.Context(), alice, time.Time{}); err != nil {
		t.Fatal(err)
	}
	expect(mailstore.Usage{Messages: 2, Octets: 30})
	remove(t, s, alice, 0, 1)
	f.clock.advance(window + 24*time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(mailstore.Usage{})
}
