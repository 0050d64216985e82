package faultfs

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrKilled is what every operation returns after a stop. No program sees it: it would be dead.
var ErrKilled = errors.New("faultfs: the machine has stopped")

// A Kind is a kind of operation.
type Kind string

// The kinds of operations.
const (
	Open    Kind = "open"   // of a file that is there
	Create  Kind = "create" // of a new file
	Read    Kind = "read"
	Write   Kind = "write"
	Stat    Kind = "stat"
	Sync    Kind = "sync"    // of a file's content
	Close   Kind = "close"   // of a file that was made
	Release Kind = "release" // of a file opened for reading
	Mkdir   Kind = "mkdir"
	Remove  Kind = "remove"
	Punch   Kind = "punch" // of a hole into a file
	ReadDir Kind = "readdir"
	SyncDir Kind = "syncdir" // of a folder's entries
)

// An Op is one operation.
type Op struct {
	N    int // counted from 1 since the Plan was set
	Kind Kind
	Name string
}

func (o Op) String() string { return fmt.Sprintf("%d %s %s", o.N, o.Kind, o.Name) }

// A Plan says what goes wrong. The zero Plan is that nothing does.
type Plan struct {
	// At is the operation that goes wrong, counted from 1 since the Plan was set; 0 is none.
	At int
	// Kill stops the machine at the operation: it is not done (a write is half done), nor is any after it.
	Kill bool
	// Err is what the operation returns instead of being done. Usually a [syscall.Errno]; then operations that cannot
	// fail that way on a real disk are passed over, and the next that can is taken.
	Err error
	// Short makes a write that fails write half of its octets first.
	Short bool
	// Stay makes every operation after it that can fail so fail too, until another Plan is set: a disk that stays full.
	Stay bool
}

// canFail says whether an operation of this kind can end with err on a real disk.
func canFail(kind Kind, err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return true
	}
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT:
		switch kind {
		case Create, Write, Sync, Mkdir, SyncDir, Close:
			return true
		default:
			return false
		}
	case syscall.EROFS:
		switch kind {
		case Create, Write, Sync, Mkdir, Remove, Punch:
			return true
		default:
			return false
		}
	default:
		return true
	}
}
