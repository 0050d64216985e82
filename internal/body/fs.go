package body

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// An FS is what a [Disk] needs of a file system: one folder and what lies below it. Names are relative and separated by
// slashes; "." is the folder itself. It is a seam for tests: see package faultfs. Errors wrap those of package fs and the
// [syscall.Errno]. Methods may be called concurrently.
type FS interface {
	// OpenFile is like os.OpenFile. It does not follow a symbolic link at the end of name.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// ReadFile reads a file from octet at on, as much as one read gives: of a file that lies on a disk, all of the rest or
	// all that p has room for. Like OpenFile it does not follow a symbolic link.
	ReadFile(name string, p []byte, at int64) (int, error)
	// Mkdir is like os.Mkdir.
	Mkdir(name string, perm fs.FileMode) error
	// Remove is like os.Remove: it removes a file or an empty folder.
	Remove(name string) error
	// ReadDir calls fn for each entry of a folder, in no particular order and some at a time.
	ReadDir(name string, fn func(fs.DirEntry) error) error
	// Punch gives back the room of octets of a file, which then read as NULs; where the file system cannot do that it does
	// nothing.
	Punch(name string, at, octets int64) error
	// SyncDir makes the entries of a folder durable.
	SyncDir(name string) error
}

// A File is an open file of an FS.
type File interface {
	io.Reader
	io.Writer
	io.Closer
	// Stat is like os.File.Stat.
	Stat() (fs.FileInfo, error)
	// Sync makes the file's content durable.
	Sync() error
}

// Dir opens a folder of the operating system as an FS, and makes it durably if it is not there. Its parent must be there.
// Files that Dir's FS opens are *os.File.
func Dir(path string) (FS, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	switch err := os.Mkdir(path, 0o700); {
	case errors.Is(err, fs.ErrExist):
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("body: %s is not a folder", path)
		}
	case err != nil:
		return nil, fmt.Errorf("body: %w", err)
	}
	// Also for a folder that was there: whoever made it may have been killed before this.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return dirFS(path), nil
}

// dirFS is an absolute path of the operating system.
type dirFS string

func (d dirFS) name(name string) string {
	if name == "." {
		return string(d)
	}
	return string(d) + "/" + name
}

// OpenFile makes an *os.File of a descriptor that it opened itself: os.OpenFile would try to have the runtime wait for
// it, which files cannot be waited for, and take five more system calls to find that out.
func (d dirFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	path := d.name(name)
	fd, err := open(path, flag, uint32(perm.Perm()))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// open opens a file and leaves the runtime out of it.
func open(path string, flag int, perm uint32) (fd int, err error) {
	for {
		fd, err = syscall.Open(path, flag|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, perm)
		switch err {
		case nil:
			return fd, nil
		case syscall.EINTR:
		default:
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// ReadFile does not make an *os.File, which would cost two more system calls and a finalizer.
func (d dirFS) ReadFile(name string, p []byte, at int64) (int, error) {
	path := d.name(name)
	fd, err := open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	n, err := read(fd, p, at)
	_ = syscall.Close(fd) // of a file that was only read
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return n, nil
}

func read(fd int, p []byte, at int64) (int, error) {
	for {
		n, err := syscall.Pread(fd, p, at)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func (d dirFS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(d.name(name), perm) }

func (d dirFS) Remove(name string) error { return os.Remove(d.name(name)) }

func (d dirFS) SyncDir(name string) error { return syncDir(d.name(name)) }

// dirBatch is how many entries of a folder ReadDir holds at a time.
const dirBatch = 512

func (d dirFS) ReadDir(name string, fn func(fs.DirEntry) error) error {
	f, err := os.Open(d.name(name))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(dirBatch)
		for _, e := range entries {
			if err := fn(e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
