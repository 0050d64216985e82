package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/mailstore"
)

func testLock(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "x", alice)
	d := openDrop(t, s, alice, mailstore.View{})
	if _, err := s.Open(t.Context(), alice, mailstore.View{}); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("second Open: %v, want ErrInUse", err)
	}
	closeDrop(t, openDrop(t, s, bob, mailstore.View{}))               // another maildrop
	closeDrop(t, openDrop(t, s, alice, mailstore.View{Shared: true})) // without the lock
	if _, err := s.Open(t.Context(), alice, mailstore.View{}); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("Open after a shared one was closed: %v, want ErrInUse", err)
	}
	deliver(t, s, "y", alice) // the lock does not keep mail out
	if _, err := s.Usage(t.Context(), alice); err != nil {
		t.Errorf("Usage: %v", err)
	}
	closeDrop(t, d)
	d = openDrop(t, s, alice, mailstore.View{})
	if d.Len() != 2 {
		t.Errorf("%d messages, want 2", d.Len())
	}
	closeDrop(t, d)
	// A session that was refused has not taken anything.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Open(ctx, alice, mailstore.View{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context: %v", err)
	}
	closeDrop(t, openDrop(t, s, alice, mailstore.View{}))
}

// The lock and the mail are shared with everybody who has the same folder open.
func testLockAcrossOpeners(t *testing.T, f *fixture) {
	one, two := f.store(t), f.store(t)
	deliver(t, one, "from one\r\n", alice)
	d := openDrop(t, one, alice, mailstore.View{})
	if _, err := two.Open(t.Context(), alice, mailstore.View{}); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("Open by the other: %v, want ErrInUse", err)
	}
	deliver(t, two, "from two\r\n", alice)
	closeDrop(t, d)
	for i, s := range []mailstore.Store{one, two} {
		want := []string{"from one\r\n", "from two\r\n"}
		if got := texts(contents(t, s, alice)); !slices.Equal(got, want) {
			t.Errorf("opener %d sees %q, want %q", i, got, want)
		}
	}
	remove(t, two, alice, 0)
	if got := texts(contents(t, one, alice)); !slices.Equal(got, []string{"from two\r\n"}) {
		t.Errorf("after the other deleted one: %q", got)
	}
}

func testSnapshot(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "one\r\n", alice)
	for _, view := range []mailstore.View{{}, {Shared: true}} {
		d := openDrop(t, s, alice, view)
		before := read(t, d)
		deliver(t, s, "more\r\n", alice)
		if after := read(t, d); !slices.Equal(after, before) {
			t.Errorf("%+v: a delivery shows in an open maildrop: %q", view, after)
		}
		closeDrop(t, d)
	}
	if got := contents(t, s, alice); len(got) != 3 {
		t.Errorf("%d messages, want 3", len(got))
	}
}

func testShared(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "x", alice)
	d := openDrop(t, s, alice, mailstore.View{Shared: true})
	defer closeDrop(t, d)
	if err := d.Update(t.Context(), mailstore.Update{Deleted: []int{0}}); !errors.Is(err, mailstore.ErrReadOnly) {
		t.Errorf("Update: %v, want ErrReadOnly", err)
	}
	if got := contents(t, s, alice); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

func testUpdate(t *testing.T, f *fixture) {
	s := f.store(t)
	var all []message
	for i := range 1200 { // more than a chunk that a store may keep them in
		text := fmt.Sprintf("%d\r\n", i)
		if i%100 == 0 {
			f.clock.advance(time.Second)
		}
		all = append(all, message{deliver(t, s, text, alice), text})
	}
	d := openDrop(t, s, alice, mailstore.View{})
	var deleted []int
	var want []message
	for i := range all {
		if i%3 == 0 || i > 500 && i < 1050 {
			deleted = append(deleted, i)
		} else {
			want = append(want, all[i])
		}
	}
	if err := d.Update(t.Context(), mailstore.Update{Deleted: deleted, Retrieved: []int{0, 1, 1199}}); err != nil {
		t.Fatal(err)
	}
	closeDrop(t, d)
	if got := contents(t, s, alice); !slices.Equal(got, want) {
		t.Errorf("%d messages are left, want %d", len(got), len(want))
	}
	// What is delivered next comes last.
	want = append(want, message{deliver(t, s, "last\r\n", alice), "last\r\n"})
	if got := contents(t, s, alice); !slices.Equal(got, want) {
		t.Errorf("%d messages after another delivery, want %d", len(got), len(want))
	}
	// All at once.
	d = openDrop(t, s, alice, mailstore.View{})
	deleted = deleted[:0]
	for i := range d.Len() {
		deleted = append(deleted, i)
	}
	if err := d.Update(t.Context(), mailstore.Update{Deleted: deleted}); err != nil {
		t.Fatal(err)
	}
	closeDrop(t, d)
	if got := contents(t, s, alice); len(got) != 0 {
		t.Errorf("%d messages are left, want 0", len(got))
	}
}

// An index that is not there is an error, and deletes nothing.
func testUpdateBadIndex(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "one\r\n", alice)
	deliver(t, s, "two\r\n", alice)
	for _, deleted := range [][]int{{-1}, {2}, {0, 2}, {1, 0}, {0, 0}, {1 << 40}} {
		d := openDrop(t, s, alice, mailstore.View{})
		if err := d.Update(t.Context(), mailstore.Update{Deleted: deleted}); err == nil {
			t.Errorf("Update of %v succeeds", deleted)
		}
		closeDrop(t, d)
		if got := contents(t, s, alice); len(got) != 2 {
			t.Fatalf("Update of %v left %d messages", deleted, len(got))
		}
	}
}

func testCloseRemovesNothing(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "x", alice)
	closeDrop(t, openDrop(t, s, alice, mailstore.View{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := openDrop(t, s, alice, mailstore.View{})
	if err := d.Update(ctx, mailstore.Update{Deleted: []int{0}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Update with a cancelled context: %v", err)
	}
	closeDrop(t, d)
	if got := contents(t, s, alice); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
	if u, err := s.Usage(t.Context(), alice); err != nil || u.DeletedMessages != 0 {
		t.Errorf("Usage: %+v, %v", u, err)
	}
}

// A session that does not hold the lock sees messages go.
func testGoneWhileShared(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "one\r\n", alice)
	deliver(t, s, "two\r\n", alice)
	d := openDrop(t, s, alice, mailstore.View{Shared: true})
	defer closeDrop(t, d)
	reading, err := d.Body(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.R.Close()
	remove(t, s, alice, 0)
	if d.Len() != 2 {
		t.Errorf("the snapshot changed: %d messages", d.Len())
	}
	f.clock.advance(window + 24*time.Hour)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Body(t.Context(), 0); !errors.Is(err, mailstore.ErrGone) {
		t.Errorf("Body of a swept message: %v, want ErrGone", err)
		if err == nil {
			b.R.Close()
		}
	}
	// One that was open already can be read to its end.
	if text, err := io.ReadAll(reading.R); err != nil || string(text) != "one\r\n" {
		t.Errorf("reading on after the sweep: %q, %v", text, err)
	}
	if got := readBody(t, d, 1, string(d.AppendUID(nil, 1))); got != "two\r\n" {
		t.Errorf("the other message is %q", got)
	}
}

// bodyFiles lists the files below a folder.
func bodyFiles(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := walkFiles(dir, func(path string, _ os.FileInfo) { names = append(names, path) })
	if err != nil {
		t.Fatal(err)
	}
	return names
}
