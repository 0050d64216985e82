package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/postamt/postamt/internal/mailstore"
)

// A lockTable holds the exclusive locks of maildrops: a map inside the process, and between processes one octet of a
// file for each maildrop, locked through the kernel. When a process dies, however it dies, the kernel frees its locks;
// nothing has to be cleaned up. The files are empty.
//
// The kernel keeps the locks of a file in a list which each operation walks, so they are spread over several files:
// with 10,000 sessions open, a list has some 160 entries.
type lockTable struct {
	mu   sync.Mutex
	held map[int64]struct{} // nil when closed
	// files are opened at the start, so that sessions can be opened later on a disk that is full or read-only.
	files [lockFiles]*os.File
}

const lockFiles = 64

func openLocks(folder string) (*lockTable, error) {
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	t := &lockTable{held: make(map[int64]struct{})}
	for i := range t.files {
		f, err := os.OpenFile(filepath.Join(folder, fmt.Sprintf("%02d", i)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.files[i] = f
	}
	return t, nil
}

// lock takes the lock of a maildrop, or returns ErrInUse at once.
func (t *lockTable) lock(id int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		return fmt.Errorf("%w: the store is closed", mailstore.ErrUnavailable)
	}
	if _, ok := t.held[id]; ok {
		return mailstore.ErrInUse
	}
	f := t.files[id%lockFiles]
	// Under the mutex: it does not wait, and takes a microsecond.
	free, err := lockOctet(f, id/lockFiles)
	if err != nil {
		return fmt.Errorf("lock in %s: %w", f.Name(), err)
	}
	if !free {
		return mailstore.ErrInUse
	}
	t.held[id] = struct{}{}
	return nil
}

func (t *lockTable) unlock(id int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.held[id]; !ok {
		return nil // the table was closed
	}
	delete(t.held, id)
	return unlockOctet(t.files[id%lockFiles], id/lockFiles)
}

func (t *lockTable) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for i, f := range t.files {
		if f != nil {
			errs = append(errs, f.Close())
			t.files[i] = nil
		}
	}
	t.held = nil
	return errors.Join(errs...)
}
