package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/mailstore"
)

// A model is a store said as plainly as possible.
type model struct {
	drops map[mailstore.DropID]*modelDrop
}

type modelDrop struct {
	messages []message // in delivery order
	deleted  []modelDeleted
	used     map[string]bool   // unique-ids, for ever
	keys     map[string]string // to unique-ids, for ever
	removed  bool
}

type modelDeleted struct {
	message
	at time.Time
}

func (m *model) drop(id mailstore.DropID) *modelDrop {
	d := m.drops[id]
	if d == nil {
		d = &modelDrop{used: map[string]bool{}, keys: map[string]string{}}
		m.drops[id] = d
	}
	return d
}

// testModel makes random calls and compares every answer with the model's.
func testModel(t *testing.T, f *fixture) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, f.open)
		s, err := f.open(f.dir, f.cfg)
		if err != nil {
			rt.Fatal(err)
		}
		run := &modelRun{f: f, s: s, m: &model{drops: map[mailstore.DropID]*modelDrop{}}}
		defer func() {
			run.closeSession(rt)
			if err := run.s.Close(); err != nil {
				rt.Errorf("closing the store: %v", err)
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"":            run.compare,
			"deliver":     run.deliver,
			"openSession": run.openSession,
			"update":      run.update,
			"close":       run.closeSession,
			"undelete":    run.undelete,
			"advance": func(rt *rapid.T) {
				f.clock.advance(time.Duration(rapid.IntRange(1, 9).Draw(rt, "days")) * 24 * time.Hour)
			},
			"sweep":  run.sweep,
			"reopen": run.reopen,
			"remove": run.remove,
		})
	})
}

// A modelRun is one sequence of calls.
type modelRun struct {
	f *fixture
	s mailstore.Store
	m *model

	session  mailstore.Drop // nil if none is open
	id       mailstore.DropID
	snapshot []message
	updated  bool
}

var modelDrops = []mailstore.DropID{1, 2, 3}

func drawDrop(t *rapid.T) mailstore.DropID { return rapid.SampledFrom(modelDrops).Draw(t, "maildrop") }

func (r *modelRun) deliver(t *rapid.T) {
	drops := rapid.Permutation(modelDrops).Draw(t, "maildrops")[:rapid.IntRange(1, 3).Draw(t, "how many")]
	env := mailstore.Envelope{}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		env.UID = fmt.Sprint("uid", rapid.IntRange(0, 5).Draw(t, "uid"))
	case 1:
		env.Key = fmt.Sprint("key", rapid.IntRange(0, 5).Draw(t, "key"))
	}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abc.")), 0, 20, -1).Draw(t, "text") + "\r\n"
	receipts, err := try(r.s, env, text, drops...)
	for _, id := range drops {
		d := r.m.drop(id)
		want := error(nil)
		switch {
		case d.removed:
			want = mailstore.ErrRemoved
		case env.UID != "" && d.used[env.UID]:
			want = mailstore.ErrUIDTaken
		}
		if want == nil {
			continue
		}
		// With several reasons to refuse, either may be named.
		if !errors.Is(err, mailstore.ErrRemoved) && !errors.Is(err, mailstore.ErrUIDTaken) {
			t.Fatalf("delivering %+v to %v: %v, want %v", env, drops, err, want)
		}
		return
	}
	if err != nil || len(receipts) != len(drops) {
		t.Fatalf("delivering %+v to %v: %v, %v", env, drops, receipts, err)
	}
	for i, id := range drops {
		d, got := r.m.drop(id), receipts[i]
		first, duplicate := d.keys[env.Key]
		duplicate = duplicate && env.Key != ""
		if got.Duplicate != duplicate || duplicate && got.UID != first {
			t.Fatalf("receipt %+v, want duplicate %v of %q", got, duplicate, first)
		}
		if duplicate {
			continue
		}
		if env.UID != "" && got.UID != env.UID || d.used[got.UID] || got.Octets != int64(len(text)) {
			t.Fatalf("receipt %+v for %+v of %d octets; used before: %v", got, env, len(text), d.used[got.UID])
		}
		d.used[got.UID] = true
		if env.Key != "" {
			d.keys[env.Key] = got.UID
		}
		d.messages = append(d.messages, message{got.UID, text})
	}
}

func (r *modelRun) openSession(t *rapid.T) {
	id := drawDrop(t)
	d, err := r.s.Open(background, id, mailstore.View{})
	switch {
	case r.m.drop(id).removed:
		if !errors.Is(err, mailstore.ErrRemoved) {
			t.Fatalf("opening removed maildrop %d: %v", id, err)
		}
	case r.session != nil && r.id == id:
		if !errors.Is(err, mailstore.ErrInUse) {
			t.Fatalf("opening maildrop %d twice: %v", id, err)
		}
	case err != nil:
		t.Fatalf("opening maildrop %d: %v", id, err)
	case r.session != nil:
		closeDrop(t, d)
	default:
		r.session, r.id, r.updated = d, id, false
		r.snapshot = slices.Clone(r.m.drop(id).messages)
	}
}

func (r *modelRun) update(t *rapid.T) {
	if r.session == nil || r.updated {
		t.Skip("no session to update")
	}
	d := r.m.drop(r.id)
	var u mailstore.Update
	gone := map[string]bool{}
	for i, m := range r.snapshot {
		if rapid.Bool().Draw(t, "delete") {
			u.Deleted = append(u.Deleted, i)
			gone[m.uid] = true
		}
	}
	err := r.session.Update(background, u)
	r.updated = true
	if d.removed {
		if len(u.Deleted) > 0 && !errors.Is(err, mailstore.ErrRemoved) && !errors.Is(err, mailstore.ErrGone) {
			t.Fatalf("Update of a removed maildrop: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Update of %v: %v", u.Deleted, err)
	}
	d.messages = slices.DeleteFunc(d.messages, func(m message) bool {
		if gone[m.uid] {
			d.deleted = append(d.deleted, modelDeleted{m, r.f.clock.now()})
		}
		return gone[m.uid]
	})
}

func (r *modelRun) closeSession(t *rapid.T) {
	if r.session != nil {
		closeDrop(t, r.session)
		r.session = nil
	}
}

func (r *modelRun) undelete(t *rapid.T) {
	id := drawDrop(t)
	d := r.m.drop(id)
	since := r.f.clock.now().Add(-time.Duration(rapid.IntRange(0, 12).Draw(t, "days")) * 24 * time.Hour)
	n, err := r.s.Undelete(background, id, since)
	want := 0
	d.deleted = slices.DeleteFunc(d.deleted, func(m modelDeleted) bool {
		back := !m.at.Before(since)
		if back {
			want++
			d.messages = append(d.messages, m.message)
		}
		return back
	})
	if n != want || err != nil && !d.removed {
		t.Fatalf("Undelete: %d, %v, want %d", n, err, want)
	}
	if want > 0 {
		r.reorder(t, id)
	}
}

// reorder takes the order of messages that came back from the store: the contract leaves it open.
func (r *modelRun) reorder(t *rapid.T, id mailstore.DropID) {
	d := r.m.drop(id)
	place := map[string]int{}
	for i, uid := range uids(contents(t, r.s, id)) {
		place[uid] = i
	}
	slices.SortStableFunc(d.messages, func(a, b message) int { return place[a.uid] - place[b.uid] })
}

func (r *modelRun) sweep(t *rapid.T) {
	if _, err := r.s.Sweep(background); err != nil {
		t.Fatalf("Sweep: %v", err)
	}
	for _, d := range r.m.drops {
		d.deleted = slices.DeleteFunc(d.deleted, func(m modelDeleted) bool {
			return r.f.clock.now().Sub(m.at) >= window
		})
	}
}

func (r *modelRun) reopen(t *rapid.T) {
	r.closeSession(t)
	if err := r.s.Close(); err != nil {
		t.Fatalf("closing the store: %v", err)
	}
	s, err := r.f.open(r.f.dir, r.f.cfg)
	if err != nil {
		t.Fatalf("opening the store again: %v", err)
	}
	r.s = s
}

func (r *modelRun) remove(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "really") > 0 {
		t.Skip("seldom")
	}
	id := drawDrop(t)
	if r.session != nil && r.id == id {
		t.Skip("in use")
	}
	d := r.m.drop(id)
	if err := r.s.Remove(background, id); err != nil && !d.removed {
		t.Fatalf("Remove: %v", err)
	}
	d.removed, d.messages, d.deleted = true, nil, nil
}

// compare checks after every step that the store and the model agree.
func (r *modelRun) compare(t *rapid.T) {
	if r.session != nil && !r.updated {
		if got := read(t, r.session); !slices.Equal(got, r.snapshot) {
			t.Fatalf("the open session sees %q, want %q", got, r.snapshot)
		}
	}
	for _, id := range modelDrops {
		d := r.m.drop(id)
		if d.removed {
			continue
		}
		if got := contents(t, r.s, id); !slices.Equal(got, d.messages) {
			t.Fatalf("maildrop %d has %q, want %q", id, got, d.messages)
		}
		want := mailstore.Usage{Messages: len(d.messages), DeletedMessages: len(d.deleted)}
		for _, m := range d.messages {
			want.Octets += int64(len(m.text))
		}
		deleted := map[string]bool{}
		for _, m := range d.deleted {
			want.DeletedOctets += int64(len(m.text))
			deleted[m.uid] = true
		}
		if got, err := r.s.Usage(background, id); err != nil || got != want {
			t.Fatalf("maildrop %d: Usage is %+v, %v, want %+v", id, got, err, want)
		}
		list, err := r.s.Deleted(background, id, time.Time{})
		if err != nil || len(list) != len(deleted) {
			t.Fatalf("maildrop %d: Deleted lists %d, %v, want %d", id, len(list), err, len(deleted))
		}
		for _, m := range list {
			if !deleted[m.Info.UID] {
				t.Fatalf("maildrop %d: %s is listed as deleted", id, m.Info.UID)
			}
		}
	}
}
