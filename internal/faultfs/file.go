package faultfs

import (
	"errors"
	"io"
	"io/fs"

	"github.com/postamt/postamt/internal/body"
)

// A file is an open file of an FS.
type file struct {
	fs      *FS
	name    string
	inner   body.File
	content *content // nil for one opened for reading
}

// begin counts an operation and returns the error it shall have.
func (f *file) begin(kind Kind) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.fs.begin(kind, f.name)
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.begin(Read); err != nil {
		return 0, err
	}
	return f.inner.Read(p)
}

func (f *file) Stat() (fs.FileInfo, error) {
	if err := f.begin(Stat); err != nil {
		return nil, err
	}
	return f.inner.Stat()
}

func (f *file) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	dead := f.fs.killed
	fail := f.fs.begin(Write, f.name)
	switch {
	case fail == nil:
	case !dead && f.fs.killed, f.fs.plan.Short && !dead:
		p = p[:len(p)/2]
	default:
		return 0, fail
	}
	n, err := f.inner.Write(p)
	if f.content != nil {
		f.content.written += int64(n)
	}
	if fail == nil && err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, errors.Join(fail, err)
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.begin(Sync, f.name); err != nil {
		if f.content != nil && f.content.synced < f.content.written {
			f.content.lost = true
		}
		return err
	}
	// The file of a test need not outlive the test's machine, so nothing is synced.
	if f.content != nil && !f.content.lost {
		f.content.synced = f.content.written
	}
	return nil
}

func (f *file) Close() error {
	kind := Close
	if f.content == nil {
		kind = Release
	}
	err := f.begin(kind)
	return errors.Join(err, f.inner.Close())
}
