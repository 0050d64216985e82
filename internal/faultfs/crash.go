package faultfs

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// A Loss says what of the things that were not durable a stop of the machine takes.
type Loss int

const (
	// LoseNothing is what the death of a process does: the kernel lives on and writes everything.
	LoseNothing Loss = iota
	// LoseUnsynced takes everything that was not durable.
	LoseUnsynced
	// LoseSome takes a part, by chance: names, removals, the ends of files; some unsynced octets turn to NULs.
	LoseSome
)

// Losses are all of them.
var Losses = []Loss{LoseNothing, LoseUnsynced, LoseSome}

func (l Loss) String() string {
	switch l {
	case LoseNothing:
		return "nothing lost"
	case LoseUnsynced:
		return "all unsynced lost"
	default:
		return "some unsynced lost"
	}
}

// Crash makes of the folder what would be found after a stop of the machine. Seed decides what LoseSome takes. The FS
// is of no use afterwards: every operation returns ErrKilled. Make a new one of the same folder.
func (f *FS) Crash(loss Loss, seed uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killed = true
	random := rand.New(rand.NewPCG(seed, 0))
	lost := func() bool { return loss == LoseUnsynced || loss == LoseSome && random.IntN(2) == 0 }

	// In order, so that the same seed takes the same things. Folders come before what is in them.
	for _, name := range slices.Sorted(maps.Keys(f.removed)) {
		if !lost() {
			continue
		}
		if err := f.restore(name); err != nil {
			return fmt.Errorf("faultfs: undoing the removal of %s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if err := f.cut(name, loss, random); err != nil {
			return fmt.Errorf("faultfs: cutting %s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.fresh)) {
		if !lost() {
			continue
		}
		if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
			return fmt.Errorf("faultfs: %w", err)
		}
	}
	return nil
}

// restore undoes a removal.
func (f *FS) restore(name string) error {
	path := filepath.Join(f.dir, name)
	kept := f.removed[name]
	if kept == "" {
		return os.MkdirAll(path, 0o700)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Rename(kept, path); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

// cut takes octets from a file.
func (f *FS) cut(name string, loss Loss, random *rand.Rand) error {
	c := f.files[name]
	unsynced := c.written - c.synced
	if unsynced == 0 || loss == LoseNothing {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(f.dir, name), os.O_WRONLY, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if loss == LoseUnsynced {
		return file.Truncate(c.synced)
	}
	keep := c.synced + random.Int64N(unsynced+1)
	if random.IntN(2) == 0 {
		return file.Truncate(keep)
	}
	// The size was durable, the octets were not.
	_, err = io.CopyN(io.NewOffsetWriter(file, keep), zeros{}, c.written-keep)
	return err
}

// zeros reads NULs.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
