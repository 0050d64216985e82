package body

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// A slowFS syncs folders when it is told to.
type slowFS struct {
	FS      // nil: nothing else is called
	started chan string
	goOn    chan error
}

func (s *slowFS) SyncDir(name string) error {
	s.started <- name
	err := <-s.goOn
	if errors.Is(err, errPanic) {
		panic(err)
	}
	return err
}

// errPanic makes a slowFS panic.
var errPanic = errors.New("panic")

// Calls that come while a folder is being synced wait for the next sync, all for the same one.
func TestSyncIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys := &slowFS{started: make(chan string), goOn: make(chan error)}
		s := newSyncer(fsys)
		s.known["01a20/32"], s.known["01a20"] = true, true
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		sync := func() { wg.Go(func() { errs <- s.sync("01a20/32") }) }

		sync()
		<-fsys.started
		for range 50 {
			sync()
		}
		synctest.Wait()
		fsys.goOn <- nil
		if err := <-errs; err != nil {
			t.Error(err)
		}
		<-fsys.started // the second sync, for the fifty
		synctest.Wait()
		for range 10 { // too late for that one
			sync()
		}
		synctest.Wait()
		broken := errors.New("broken")
		fsys.goOn <- broken
		for range 50 {
			if err := <-errs; !errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
		}
		<-fsys.started
		fsys.goOn <- nil
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if len(s.running)+len(s.waiting) > 0 {
			t.Errorf("left over: %v %v", s.running, s.waiting)
		}
	})
}

// Whoever syncs a folder may end in a panic that its caller survives: those who wait go on.
func TestSyncPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys := &slowFS{started: make(chan string), goOn: make(chan error)}
		s := newSyncer(fsys)
		s.known["01a20/32"], s.known["01a20"] = true, true
		var wg sync.WaitGroup
		errs := make([]error, 3)
		sync := func(i int) {
			wg.Go(func() {
				defer func() { _ = recover() }()
				errs[i] = s.sync("01a20/32")
			})
			synctest.Wait()
		}
		sync(0)
		<-fsys.started
		sync(1) // will do the next sync
		sync(2) // waits for it
		fsys.goOn <- nil
		<-fsys.started
		fsys.goOn <- errPanic
		wg.Wait()
		if len(s.running)+len(s.waiting) > 0 {
			t.Errorf("left over: %v %v", s.running, s.waiting)
		}
		if errs[0] != nil || errs[2] == nil {
			t.Errorf("errors %v", errs)
		}
	})
}

// A logFS notes which folders are synced, and fails for some.
type logFS struct {
	FS
	log  []string
	fail map[string]bool
}

func (l *logFS) SyncDir(name string) error {
	l.log = append(l.log, name)
	if l.fail[name] {
		return fs.ErrPermission
	}
	return nil
}

func TestSyncSettlesParentsOnce(t *testing.T) {
	t.Parallel()
	l := &logFS{fail: map[string]bool{".": true}}
	s := newSyncer(l)
	expect := func(wantErr bool, folder string, want ...string) {
		t.Helper()
		l.log = nil
		if err := s.sync(folder); (err != nil) != wantErr {
			t.Errorf("error %v", err)
		}
		if !slices.Equal(l.log, want) {
			t.Errorf("synced %q, want %q", l.log, want)
		}
	}
	expect(true, "01a20/32", "01a20/32", "01a20", ".")
	delete(l.fail, ".")
	expect(false, "01a20/32", "01a20/32", ".") // what failed is done again
	expect(false, "01a20/32", "01a20/32")
	expect(false, "01a20/33", "01a20/33", "01a20")
	s.forget("01a20/32")
	expect(false, "01a20/32", "01a20/32", "01a20")
	for i := range 2 * maxKnown {
		if err := s.sync(fmt.Sprintf("01a21/%x", i)); err != nil {
			t.Fatal(err)
		}
		if len(s.known) > maxKnown {
			t.Fatalf("%d folders are remembered, want at most %d", len(s.known), maxKnown)
		}
	}
}
