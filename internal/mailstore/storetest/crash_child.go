package storetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs/sysfault"
	"github.com/postamt/postamt/internal/mailstore"
)

// The environment of a child process of Crash.
const (
	childFolder = "POSTAMT_STORETEST_FOLDER" // of the store
	childScript = "POSTAMT_STORETEST_SCRIPT" // what to do
)

// Child returns at once, unless this process is one that Crash started: then it does its work and exits. Call it first
// in TestMain.
func Child(open Opener) {
	dir, script := os.Getenv(childFolder), os.Getenv(childScript)
	if dir == "" {
		return
	}
	if err := runChild(open, dir, script); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runChild opens the store, says on the standard output what was acknowledged, and closes the store.
func runChild(open Opener, dir, script string) error {
	step, ok := scripts[script]
	if !ok {
		return fmt.Errorf("there is no script %q", script)
	}
	cfg, err := childConfig(dir)
	if err != nil {
		return err
	}
	if script == sweepScript {
		later := newClock()
		later.advance(2 * window)
		cfg.Now = later.now
	}
	s, err := open(dir, cfg)
	if err != nil {
		return err
	}
	if script == closeScript {
		if err := step(s); err != nil {
			return errors.Join(err, s.Close())
		}
		sysfault.Tell(sysfault.MarkBegin)
		_ = s.Close() // may say that the disk failed: everything was acknowledged before
		sysfault.Tell(sysfault.MarkEnd)
		return nil
	}
	sysfault.Tell(sysfault.MarkBegin)
	err = step(s)
	sysfault.Tell(sysfault.MarkEnd)
	if err != nil {
		// One call of the disk failed. The same store must work again at once.
		if !errors.Is(err, mailstore.ErrUnavailable) {
			fmt.Println("untyped", err)
		}
		if err := step(s); err != nil {
			return fmt.Errorf("again: %w", err)
		}
	}
	return s.Close()
}

func childConfig(dir string) (Config, error) {
	fsys, err := body.Dir(filepath.Join(dir, "bodies"))
	return Config{Bodies: fsys, Window: window, Now: newClock().now}, err
}

// scripts are what a child does. They report each acknowledgement in one line.
var scripts = map[string]func(mailstore.Store) error{
	"deliver":   childDeliver,
	"together":  childTogether,
	batchScript: childBatch,
	"update":    childUpdate,
	sweepScript: childSweep,
	closeScript: childDeliver,
}

// batchScript stores several messages as one.
const batchScript = "batch"

// closeScript is broken while it closes the store, which copies the database's log.
const closeScript = "close"

// sweepScript runs after the undelete window of what is deleted.
const sweepScript = "sweep"

// childTexts are delivered by a child: the first inOrder one after the other, to two maildrops and to one, the second
// larger than a block; the others at the same time, but those from inBatch on, which are one batch.
var childTexts = []letter{
	{"first\r\n", []mailstore.DropID{alice, bob}},
	{"second " + strings.Repeat("0123456789abcdef\r\n", 6000), []mailstore.DropID{bob}},
	{"together 1\r\n", []mailstore.DropID{alice}},
	{"together 2\r\n", []mailstore.DropID{bob}},
	{"together 3\r\n", []mailstore.DropID{bob, alice}},
	{"together 4 " + strings.Repeat("0123456789abcdef\r\n", 2000), []mailstore.DropID{alice}},
	{"together 5\r\n", []mailstore.DropID{bob}},
	{"batch 1\r\n", []mailstore.DropID{alice}},
	{"batch 2 " + strings.Repeat("0123456789abcdef\r\n", 6000), []mailstore.DropID{alice}},
	{"batch 3\r\n", []mailstore.DropID{alice}},
}

const (
	inOrder = 2
	inBatch = 7
)

func childDeliver(s mailstore.Store) error {
	for i := range inOrder {
		if err := childOne(s, i); err != nil {
			return err
		}
		sysfault.Tell(sysfault.MarkDurable)
	}
	return nil
}

// childTogether delivers at the same time, so that messages share files and commits.
func childTogether(s mailstore.Store) error {
	errs := make([]error, inBatch-inOrder)
	together(len(errs), func(i int) { errs[i] = childOne(s, inOrder+i) })
	if err := errors.Join(errs...); err != nil {
		return err
	}
	sysfault.Tell(sysfault.MarkDurable)
	return nil
}

func childOne(s mailstore.Store, i int) error {
	m := childTexts[i]
	receipts, err := try(s, mailstore.Envelope{Sender: "a@example.com"}, m.text, m.drops...)
	if err != nil {
		return err
	}
	line := fmt.Sprint("delivered ", i)
	for _, r := range receipts {
		line += " " + r.UID
	}
	fmt.Println(line)
	return nil
}

func childBatch(s mailstore.Store) error {
	var all []string
	for _, m := range childTexts[inBatch:] {
		all = append(all, m.text)
	}
	b, err := batchOf(s, alice, all...)
	if err != nil {
		return err
	}
	receipts, err := b.Commit(background)
	if err != nil {
		return err
	}
	sysfault.Tell(sysfault.MarkDurable)
	for i, r := range receipts {
		fmt.Println("delivered", inBatch+i, r.UID)
	}
	return nil
}

// childDeleted are the messages that a child deletes.
var childDeleted = []int{0, 2, 5, 7}

func childUpdate(s mailstore.Store) error {
	d, err := s.Open(background, alice, mailstore.View{})
	if err != nil {
		return err
	}
	if err := d.Update(background, mailstore.Update{Deleted: childDeleted, Retrieved: childDeleted}); err != nil {
		return errors.Join(err, d.Close())
	}
	sysfault.Tell(sysfault.MarkDurable)
	fmt.Println("deleted")
	return d.Close()
}

func childSweep(s mailstore.Store) error {
	if _, err := s.Sweep(background); err != nil {
		return err
	}
	sysfault.Tell(sysfault.MarkDurable)
	return nil
}
