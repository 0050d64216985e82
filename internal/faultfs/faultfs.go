package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/postamt/postamt/internal/body"
)

// An FS is a folder whose file system fails as planned. Its methods may be called concurrently.
type FS struct {
	dir    string // the folder
	shadow string // beside it: what was removed and may come back
	inner  body.FS

	mu      sync.Mutex
	plan    Plan
	ops     []Op // since the plan was set
	failing bool // plan.Stay has begun
	killed  bool
	files   map[string]*content // written to since the start, by name
	fresh   map[string]bool     // names that are not durable
	removed map[string]string   // removals that are not durable: name to where the file waits in shadow
	shadows int
}

var _ body.FS = (*FS)(nil)

// content is what is durable of a file's octets.
type content struct {
	written, synced int64
	lost            bool // a Sync failed: what was written before is never durable
}

// New returns an FS of a folder, which is made if it is not there. What is in it already is durable. Beside it there
// will be a folder of the same name with ".removed" at its end.
func New(dir string) (*FS, error) {
	inner, err := body.Dir(dir)
	if err != nil {
		return nil, err
	}
	shadow := dir + ".removed"
	if err := os.MkdirAll(shadow, 0o700); err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	return &FS{
		dir: dir, shadow: shadow, inner: inner,
		files: make(map[string]*content), fresh: make(map[string]bool), removed: make(map[string]string),
	}, nil
}

// Set sets what goes wrong from now on, and counts operations from 0 again. It does not bring back a stopped machine.
func (f *FS) Set(p Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.ops, f.failing = p, nil, false
}

// Ops returns the operations since the Plan was set, the one that went wrong included.
func (f *FS) Ops() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Op(nil), f.ops...)
}

// Failed says whether what the Plan says has gone wrong.
func (f *FS) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.killed || f.failing
}

// begin counts an operation and returns the error it shall have. The caller holds mu.
func (f *FS) begin(kind Kind, name string) error {
	if f.killed {
		return ErrKilled
	}
	op := Op{N: len(f.ops) + 1, Kind: kind, Name: name}
	f.ops = append(f.ops, op)
	switch p := f.plan; {
	case p.At == 0 || op.N < p.At || f.failing && !p.Stay:
		return nil
	case p.Kill:
		f.killed = true
		return ErrKilled
	case !canFail(kind, p.Err):
		return nil
	default:
		f.failing = true
		return &fs.PathError{Op: string(kind), Path: name, Err: p.Err}
	}
}

// OpenFile opens or makes a file.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (body.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := Open
	if flag&os.O_CREATE != 0 {
		kind = Create
	}
	if err := f.begin(kind, name); err != nil {
		return nil, err
	}
	inner, err := f.inner.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	if kind == Open {
		return &file{fs: f, name: name, inner: inner}, nil
	}
	if flag&os.O_EXCL == 0 {
		return nil, errors.Join(errors.New("faultfs: a file may only be made anew, with O_EXCL"), inner.Close())
	}
	c := new(content)
	f.files[name] = c
	f.fresh[name] = true
	return &file{fs: f, name: name, inner: inner, content: c}, nil
}

// ReadFile reads a file: two operations, for it is opened and read.
func (f *FS) ReadFile(name string, p []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kind := range []Kind{Open, Read} {
		if err := f.begin(kind, name); err != nil {
			return 0, err
		}
	}
	return f.inner.ReadFile(name, p, at)
}

// Punch gives back the room of octets of a file. A stop of the machine does not undo it.
func (f *FS) Punch(name string, at, octets int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(Punch, name); err != nil {
		return err
	}
	return f.inner.Punch(name, at, octets)
}

// Mkdir makes a folder.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(Mkdir, name); err != nil {
		return err
	}
	if err := f.inner.Mkdir(name, perm); err != nil {
		return err
	}
	if _, back := f.removed[name]; back {
		delete(f.removed, name) // there before and there now: it is there after a crash either way
	} else {
		f.fresh[name] = true
	}
	return nil
}

// Remove removes a file or an empty folder.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(Remove, name); err != nil {
		return err
	}
	info, err := os.Lstat(filepath.Join(f.dir, name))
	if err != nil {
		return err
	}
	if f.fresh[name] {
		if err := f.inner.Remove(name); err != nil {
			return err
		}
		delete(f.fresh, name)
		delete(f.files, name)
		return nil
	}
	// Its name is durable, so the removal can come undone.
	kept := ""
	if !info.IsDir() {
		f.shadows++
		kept = filepath.Join(f.shadow, strconv.Itoa(f.shadows))
		if err := os.Link(filepath.Join(f.dir, name), kept); err != nil {
			return err
		}
	}
	if err := f.inner.Remove(name); err != nil {
		return err
	}
	f.removed[name] = kept
	return nil
}

// ReadDir calls fn for the entries of a folder.
func (f *FS) ReadDir(name string, fn func(fs.DirEntry) error) error {
	f.mu.Lock()
	err := f.begin(ReadDir, name)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.inner.ReadDir(name, fn) // fn may call back, so without the lock
}

// SyncDir makes a folder's entries durable.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(SyncDir, name); err != nil {
		return err
	}
	if err := f.inner.SyncDir(name); err != nil {
		return err
	}
	for entry := range f.fresh {
		if path.Dir(entry) == name {
			delete(f.fresh, entry)
		}
	}
	for entry := range f.removed {
		if path.Dir(entry) == name {
			delete(f.removed, entry)
		}
	}
	return nil
}
