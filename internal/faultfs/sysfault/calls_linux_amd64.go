package sysfault

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A kind is what a system call does to files.
type kind uint8

const (
	reads   kind = iota + 1 // octets
	locks                   // or unlocks
	opens                   // a file that is there
	creates                 // a file
	makes                   // a folder
	writes                  // octets
	resizes                 // a file
	syncs                   // a file or a folder
	removes                 // a file or a folder
	renames                 // a file or a folder
	closes                  // a file
)

// A call is a system call on a file below the folder.
type call struct {
	name string
	kind kind
	path string
	to   string // of renames
}

// A shape says where in a system call's arguments the file is.
type shape struct {
	name string
	kind kind
	fd   int // index of a descriptor, -1 for none
	dir  int // index of the folder a path is relative to, -1 for none
	path int // index of a path, -1 for none
	to   int // index of the second path, 0 for none
}

var shapes = map[uint64]shape{
	syscall.SYS_READ:      {name: "read", kind: reads, fd: 0, dir: -1, path: -1},
	syscall.SYS_PREAD64:   {name: "pread64", kind: reads, fd: 0, dir: -1, path: -1},
	syscall.SYS_WRITE:     {name: "write", kind: writes, fd: 0, dir: -1, path: -1},
	syscall.SYS_PWRITE64:  {name: "pwrite64", kind: writes, fd: 0, dir: -1, path: -1},
	syscall.SYS_WRITEV:    {name: "writev", kind: resizes, fd: 0, dir: -1, path: -1}, // cannot be torn
	syscall.SYS_PWRITEV:   {name: "pwritev", kind: resizes, fd: 0, dir: -1, path: -1},
	syscall.SYS_FTRUNCATE: {name: "ftruncate", kind: resizes, fd: 0, dir: -1, path: -1},
	syscall.SYS_FALLOCATE: {name: "fallocate", kind: resizes, fd: 0, dir: -1, path: -1},
	syscall.SYS_FSYNC:     {name: "fsync", kind: syncs, fd: 0, dir: -1, path: -1},
	syscall.SYS_FDATASYNC: {name: "fdatasync", kind: syncs, fd: 0, dir: -1, path: -1},
	syscall.SYS_CLOSE:     {name: "close", kind: closes, fd: 0, dir: -1, path: -1},
	syscall.SYS_FLOCK:     {name: "flock", kind: locks, fd: 0, dir: -1, path: -1},
	syscall.SYS_FCNTL:     {name: "fcntl", kind: locks, fd: 0, dir: -1, path: -1},
	syscall.SYS_OPEN:      {name: "open", kind: opens, fd: -1, dir: -1, path: 0},
	syscall.SYS_OPENAT:    {name: "openat", kind: opens, fd: -1, dir: 0, path: 1},
	syscall.SYS_MKDIR:     {name: "mkdir", kind: makes, fd: -1, dir: -1, path: 0},
	syscall.SYS_MKDIRAT:   {name: "mkdirat", kind: makes, fd: -1, dir: 0, path: 1},
	syscall.SYS_UNLINK:    {name: "unlink", kind: removes, fd: -1, dir: -1, path: 0},
	syscall.SYS_RMDIR:     {name: "rmdir", kind: removes, fd: -1, dir: -1, path: 0},
	syscall.SYS_UNLINKAT:  {name: "unlinkat", kind: removes, fd: -1, dir: 0, path: 1},
	syscall.SYS_RENAME:    {name: "rename", kind: renames, fd: -1, dir: -1, path: 0, to: 1},
	syscall.SYS_RENAMEAT:  {name: "renameat", kind: renames, fd: -1, dir: 0, path: 1, to: 3},
	sysRenameat2:          {name: "renameat2", kind: renames, fd: -1, dir: 0, path: 1, to: 3},
	syscall.SYS_LINK:      {name: "link", kind: renames, fd: -1, dir: -1, path: 0, to: 1},
	syscall.SYS_LINKAT:    {name: "linkat", kind: renames, fd: -1, dir: 0, path: 1, to: 3},
}

const sysRenameat2 = 316

// read finds out what a thread is about to do. It is false for what does not concern the folder.
func (t *tracer) read(tid int, number uint64, args []uint64) (call, bool, error) {
	s, ok := shapes[number]
	if !ok {
		return call{}, false, nil
	}
	c := call{name: s.name, kind: s.kind}
	var err error
	if s.fd >= 0 {
		c.path = t.descriptor(args[s.fd])
	} else if c.path, err = t.path(tid, s.dir, args, s.path); err != nil {
		return call{}, false, err
	}
	if c.path != t.plan.Folder && !strings.HasPrefix(c.path, t.plan.Folder+"/") {
		return call{}, false, nil
	}
	if s.to > 0 {
		if c.to, err = t.path(tid, s.to-1, args, s.to); err != nil {
			return call{}, false, err
		}
	}
	if s.kind == opens {
		flags := args[s.path+1]
		if _, err := os.Lstat(c.path); flags&syscall.O_CREAT != 0 && os.IsNotExist(err) {
			c.kind = creates
		}
	}
	return c, true, nil
}

// descriptor returns the path of an open file, empty if it has none.
func (t *tracer) descriptor(fd uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.pid, int32(fd)))
	if err != nil {
		return ""
	}
	return path
}

// path reads a path from the program's memory and makes it absolute.
func (t *tracer) path(tid, dir int, args []uint64, index int) (string, error) {
	buf := make([]byte, 0, 512)
	for len(buf) <= 4096 {
		var word [8]byte
		if _, err := syscall.PtracePeekData(tid, uintptr(args[index])+uintptr(len(buf)), word[:]); err != nil {
			return "", err
		}
		if i := bytes.IndexByte(word[:], 0); i >= 0 {
			buf = append(buf, word[:i]...)
			break
		}
		buf = append(buf, word[:]...)
	}
	path := string(buf)
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	base := ""
	if dir >= 0 && int32(args[dir]) >= 0 {
		base = t.descriptor(args[dir])
	} else {
		base, _ = os.Readlink(fmt.Sprintf("/proc/%d/cwd", t.pid))
	}
	return filepath.Join(base, path), nil
}

// counts says whether a call is one that the plan can break.
func (p Plan) counts(c call) bool {
	switch {
	case p.Torn:
		return c.kind == writes
	case p.Errno == 0:
		return c.kind > opens && c.kind != closes // closing changes nothing
	case p.Errno == syscall.ENOSPC || p.Errno == syscall.EDQUOT:
		return c.kind == creates || c.kind == makes || c.kind == writes || c.kind == resizes || c.kind == syncs
	case p.Errno == syscall.EROFS:
		return c.kind == creates || c.kind == makes || c.kind == writes || c.kind == resizes || c.kind == removes
	default:
		return c.kind != closes && c.kind != locks
	}
}

// done notes what a successful call means for what is durable.
func (l *ledger) done(c call) {
	switch c.kind {
	case writes, resizes:
		l.dirty[c.path] = true
	case creates, makes:
		l.fresh[c.path] = true
	case syncs:
		delete(l.dirty, c.path)
		for path := range l.fresh {
			if filepath.Dir(path) == c.path {
				delete(l.fresh, path)
			}
		}
	case removes:
		delete(l.dirty, c.path)
		delete(l.fresh, c.path)
	case renames:
		l.fresh[c.to] = true
		if l.dirty[c.path] {
			l.dirty[c.to] = true
		}
		if c.name[0] == 'r' {
			delete(l.dirty, c.path)
			delete(l.fresh, c.path)
		}
	default:
	}
}
