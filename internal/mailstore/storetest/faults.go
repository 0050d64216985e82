package storetest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
)

// A ledger is what a store has acknowledged, and what it was asked for without an answer.
type ledger struct {
	must  map[mailstore.DropID]map[string]string // messages that must be there, by unique-id
	maybe map[mailstore.DropID][]string          // texts that may be there or not, each at most once
}

func newLedger() *ledger {
	return &ledger{
		must:  map[mailstore.DropID]map[string]string{alice: {}, bob: {}},
		maybe: map[mailstore.DropID][]string{},
	}
}

// deliver delivers and enters the outcome.
func (l *ledger) deliver(s mailstore.Store, text string, drops ...mailstore.DropID) error {
	receipts, err := try(s, mailstore.Envelope{Sender: "a@example.com"}, text, drops...)
	for i, id := range drops {
		if err != nil {
			l.maybe[id] = append(l.maybe[id], text)
		} else {
			l.must[id][receipts[i].UID] = text
		}
	}
	return err
}

// audit opens every maildrop and compares it with the ledger.
func (l *ledger) audit(t tester, s mailstore.Store) {
	t.Helper()
	for id, must := range l.must {
		maybe := slices.Clone(l.maybe[id])
		got := slices.DeleteFunc(contents(t, s, id), func(m message) bool {
			if _, ok := must[m.uid]; ok {
				return false
			}
			i := slices.Index(maybe, m.text)
			if i < 0 {
				return false
			}
			maybe = slices.Delete(maybe, i, i+1)
			return true
		})
		account(t, got, must)
	}
}

// faultSteps is what Faults breaks: two deliveries, one larger than a block, and a sweep of what bob deleted.
func (l *ledger) faultSteps(f *fixture, s mailstore.Store) error {
	if err := l.deliver(s, "small\r\n", alice, bob); err != nil {
		return err
	}
	if err := l.deliver(s, strings.Repeat("0123456789abcdef\r\n", 6000), bob); err != nil {
		return err
	}
	f.clock.advance(window * 2)
	_, err := s.Sweep(background)
	return err
}

// fixture returns one on a failing disk, with a copy of the store.
func (b *base) fixture(t *testing.T, open Opener) (*fixture, *faultfs.FS, mailstore.Store, *ledger) {
	t.Helper()
	f := newFixture(t, open)
	if err := os.CopyFS(f.dir, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	fsys, err := faultfs.New(f.bodies)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.Bodies = fsys
	s, err := f.open(f.dir, f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, fsys, s, b.ledger()
}

// faultOps returns how many operations on bodies faultSteps has, and the first of its sweep.
func (b *base) faultOps(t *testing.T, open Opener) (ops, sweep int) {
	t.Helper()
	f, fsys, s, l := b.fixture(t, open)
	fsys.Set(faultfs.Plan{})
	if err := l.faultSteps(f, s); err != nil {
		t.Fatal(err)
	}
	list := fsys.Ops()
	for _, kind := range []faultfs.Kind{faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.SyncDir, faultfs.Remove, faultfs.Punch} {
		if !slices.ContainsFunc(list, func(op faultfs.Op) bool { return op.Kind == kind }) {
			t.Fatalf("there is no %s among the operations, this test would prove little: %v", kind, list)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations: %v", len(list), list)
	return len(list), 1 + slices.IndexFunc(list, func(op faultfs.Op) bool { return op.Kind == faultfs.Punch })
}

// Faults breaks every operation on bodies of two deliveries and a sweep, in the test's own process: it stops the machine
// there, with three ideas of what a disk loses, or lets the operation fail with ENOSPC, EIO, EROFS or half a write.
func Faults(t *testing.T, open Opener) {
	b := newBase(t, open)
	ops, sweep := b.faultOps(t, open)
	for _, loss := range faultfs.Losses {
		t.Run("Stop/"+strings.ReplaceAll(loss.String(), " ", "_"), func(t *testing.T) {
			t.Parallel()
			for at := range ops + 1 {
				b.stopAt(t, open, at+1, loss, at+1 >= sweep)
			}
		})
	}
	for _, plan := range []faultfs.Plan{
		{Err: syscall.ENOSPC},
		{Err: syscall.ENOSPC, Short: true},
		{Err: syscall.ENOSPC, Stay: true},
		{Err: syscall.EIO},
		{Err: syscall.EROFS, Stay: true},
	} {
		name := fmt.Sprintf("Fail/%s_short=%v_stay=%v", plan.Err, plan.Short, plan.Stay)
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			plan.At = 1
			for b.failAt(t, open, plan, plan.At >= sweep) {
				plan.At++
			}
			if plan.At < 10 {
				t.Errorf("only %d operations failed, this test proves little", plan.At-1)
			}
		})
	}
}

func (b *base) stopAt(t *testing.T, open Opener, at int, loss faultfs.Loss, room bool) {
	t.Helper()
	f, fsys, s, l := b.fixture(t, open)
	fsys.Set(faultfs.Plan{At: at, Kill: true})
	if err := l.faultSteps(f, s); err != nil && !errors.Is(err, faultfs.ErrKilled) {
		t.Errorf("stopped at %d: %v", at, err)
	}
	_ = s.Close() // its disk is gone, it may say so
	if err := fsys.Crash(loss, uint64(at)); err != nil {
		t.Fatal(err)
	}
	f.reborn(t, b, l, fmt.Sprintf("stopped at %d, %v", at, loss), room)
}

// reborn opens the store again on a disk that is well, and audits it, also whether all room comes back if room is set.
func (f *fixture) reborn(t *testing.T, b *base, l *ledger, when string, room bool) {
	t.Helper()
	fsys, err := body.Dir(f.bodies)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.Bodies = fsys
	s, err := f.open(f.dir, f.cfg)
	if err != nil {
		t.Fatalf("%s: opening again: %v", when, err)
	}
	note := &noted{tester: t, when: when}
	l.audit(note, s)
	clean(note, s)
	// What was deleted before and not swept comes back whole.
	if _, err := s.Undelete(background, bob, time.Time{}); err != nil {
		t.Errorf("%s: Undelete: %v", when, err)
	}
	l.maybe[bob] = append(l.maybe[bob], b.deleted...)
	if err := l.deliver(s, "after\r\n", alice, bob); err != nil {
		t.Errorf("%s: delivering again: %v", when, err)
	}
	l.audit(note, s)
	if room {
		auditRoom(note, s, f.clock, f.bodies)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: closing: %v", when, err)
	}
}

// failAt lets operation plan.At fail, or the next that can fail so. It is false when there is none.
func (b *base) failAt(t *testing.T, open Opener, plan faultfs.Plan, room bool) bool {
	t.Helper()
	f, fsys, s, l := b.fixture(t, open)
	when := fmt.Sprintf("failed at %d", plan.At)
	note := &noted{tester: t, when: when}
	fsys.Set(plan)
	err := l.faultSteps(f, s)
	failed := fsys.Failed()
	if err != nil && (!errors.Is(err, mailstore.ErrUnavailable) || !errors.Is(err, plan.Err)) {
		t.Errorf("%s: error %v, want ErrUnavailable that wraps %v", when, err, plan.Err)
	}
	if plan.Stay && plan.Err != syscall.EIO {
		l.audit(note, s) // reading goes on while the disk is full or read-only
	}
	fsys.Set(faultfs.Plan{})
	l.audit(note, s)
	// The disk is well again, and so is the same store.
	if err := l.faultSteps(f, s); err != nil {
		t.Errorf("%s: the disk is well again, the store is not: %v", when, err)
	}
	l.audit(note, s)
	if err := s.Close(); err != nil {
		t.Errorf("%s: closing: %v", when, err)
	}
	if err := fsys.Crash(faultfs.LoseUnsynced, 0); err != nil {
		t.Fatal(err)
	}
	f.reborn(t, b, l, when, room)
	return failed
}

// noted says in every complaint when it was.
type noted struct {
	tester
	when string
}

func (n *noted) Errorf(format string, args ...any) {
	n.Helper()
	n.tester.Errorf(n.when+": "+format, args...)
}

func (n *noted) Fatalf(format string, args ...any) {
	n.Helper()
	n.tester.Fatalf(n.when+": "+format, args...)
}
