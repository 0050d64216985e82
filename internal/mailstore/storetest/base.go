package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
)

// A base is a store with some mail, to be copied for each fault. alice has nine messages in order, "base 0" to "base 8". Of
// bob's some are deleted: one body that has a file alone, all of one file that several share, and of another such file all
// but one, and one that alice has too.
type base struct {
	dir     string
	l       *ledger
	deleted []string // texts of messages that bob deleted
}

// A letter is a message and where it goes.
type letter struct {
	text  string
	drops []mailstore.DropID
}

// long returns a text of several blocks of a disk, beginning with name.
func long(name string) string { return name + " " + strings.Repeat("0123456789abcdef\r\n", 600) }

func newBase(t *testing.T, open Opener) *base {
	t.Helper()
	b := &base{dir: t.TempDir(), l: newLedger()}
	cfg, err := childConfig(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		gate := faultfs.NewGate(cfg.Bodies)
		cfg.Bodies = gate
		s, err := open(b.dir, cfg)
		if err != nil {
			t.Fatal(err)
		}
		close(gate.Open)
		toAlice := func(from, to int) {
			for i := from; i < to; i++ {
				if err := b.l.deliver(s, fmt.Sprintf("base %d\r\n", i), alice); err != nil {
					t.Fatal(err)
				}
			}
		}
		toAlice(0, 5)
		b.share(t, s, gate, []letter{
			{"alone\r\n", []mailstore.DropID{bob}},
			{long("deleted 1"), []mailstore.DropID{bob}},
			{long("kept"), []mailstore.DropID{bob}},
			{"deleted 2\r\n", []mailstore.DropID{bob}},
			{"base 5\r\n", []mailstore.DropID{alice, bob}},
			{long("deleted 3"), []mailstore.DropID{bob}},
		})
		b.share(t, s, gate, []letter{
			{"deleted 4\r\n", []mailstore.DropID{bob}},
			{"deleted 5\r\n", []mailstore.DropID{bob}},
			{long("deleted 6"), []mailstore.DropID{bob}},
		})
		toAlice(6, 9)
		for _, m := range contents(t, s, bob) {
			if strings.HasPrefix(m.text, "deleted") || strings.HasPrefix(m.text, "base") {
				b.deleted = append(b.deleted, m.text)
				delete(b.l.must[bob], m.uid)
				remove(t, s, bob, slices.Index(uids(contents(t, s, bob)), m.uid))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if files := bodyFiles(t, filepath.Join(b.dir, "bodies")); len(b.deleted) != deletedBefore || len(files) != 12 {
		t.Fatalf("%d messages are deleted and %d files there, this test would prove little", len(b.deleted), len(files))
	}
	return b
}

// deletedBefore is how many messages bob had deleted before the process began.
const deletedBefore = 7

// share delivers letters at the same time, so that all but the first share a file. It must be called in a bubble.
func (b *base) share(t *testing.T, s mailstore.Store, gate *faultfs.Gate, letters []letter) {
	t.Helper()
	gate.Open = make(chan struct{})
	receipts := make([][]mailstore.Receipt, len(letters))
	errs := make([]error, len(letters))
	var wg sync.WaitGroup
	for i, m := range letters {
		wg.Go(func() { receipts[i], errs[i] = try(s, mailstore.Envelope{Sender: "a@example.com"}, m.text, m.drops...) })
		synctest.Wait()
	}
	close(gate.Open)
	wg.Wait()
	for i, m := range letters {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		for k, id := range m.drops {
			b.l.must[id][receipts[i][k].UID] = m.text
		}
	}
}

// ledger returns a copy of what the store acknowledged.
func (b *base) ledger() *ledger {
	l := newLedger()
	for id, messages := range b.l.must {
		for uid, text := range messages {
			l.must[id][uid] = text
		}
	}
	return l
}

// auditRoom deletes everything and sees that, when it is swept, all room comes back.
func auditRoom(t tester, s mailstore.Store, c *clock, bodies string) {
	t.Helper()
	for _, id := range []mailstore.DropID{alice, bob} {
		d := openDrop(t, s, id, mailstore.View{})
		all := make([]int, d.Len())
		for i := range all {
			all[i] = i
		}
		if err := d.Update(background, mailstore.Update{Deleted: all}); err != nil {
			t.Errorf("deleting everything: %v", err)
		}
		closeDrop(t, d)
	}
	c.advance(2 * window)
	if _, err := s.Sweep(background); err != nil {
		t.Errorf("sweeping everything: %v", err)
	}
	err := walkFiles(bodies, func(path string, _ os.FileInfo) { t.Errorf("everything is swept and there is still %s", path) })
	if err != nil {
		t.Fatalf("looking for bodies: %v", err)
	}
}

// auditHoles sees that after a sweep nothing of what bob deleted is on the disk, also where others share a file with it.
func (b *base) auditHoles(t *testing.T, bodies string) {
	t.Helper()
	if !CanPunch(t) {
		t.Log("this file system cannot give back the room of a part of a file")
		return
	}
	for _, name := range bodyFiles(t, bodies) {
		octets, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(octets, []byte("deleted ")) {
			t.Errorf("%s still has a message that was swept", name)
		}
	}
}

// CanPunch reports whether the room of a part of a file can be given back here.
func CanPunch(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	fsys, err := body.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "punched")
	err = errors.Join(os.WriteFile(name, []byte("1"), 0o600), fsys.Punch("punched", 0, 1))
	octets, rerr := os.ReadFile(name)
	if err := errors.Join(err, rerr); err != nil {
		t.Fatal(err)
	}
	return octets[0] == 0
}
