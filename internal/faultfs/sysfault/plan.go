package sysfault

import (
	"errors"
	"syscall"
)

// ErrUnsupported is what Supported and Run return where programs cannot be traced.
var ErrUnsupported = errors.New("sysfault: system calls can be broken on Linux with amd64 only, where ptrace is permitted")

// A Plan says which system call is broken, and how. The zero Plan is a dry run.
type Plan struct {
	// Folder is an absolute path without symbolic links. Only calls on files below it count.
	Folder string
	// At is the call to break, counted from 1 at the program's MarkBegin; 0 breaks none.
	At int
	// Errno is how the call fails, 0 to kill the program instead. Calls that cannot fail so on a real disk do not count:
	// ENOSPC is for those that make or lengthen or sync something, EIO for reading as well.
	Errno syscall.Errno
	// Stay makes all later calls that count fail too, until MarkEnd: a disk that stays full. It needs Errno.
	Stay bool
	// Torn kills after half of a write is done. Only writes count.
	Torn bool
}

// A Result is what became of the program.
type Result struct {
	// Calls are the calls that counted, those that failed included, between MarkBegin and MarkEnd or the program's end.
	Calls []Call
	// Broken says that the call Plan.At was reached.
	Broken bool
	// Unsynced are the files written to and the entries made, below Plan.Folder, that were not durable at a MarkDurable.
	Unsynced []string
	// Marks is how many MarkDurable there were.
	Marks int
	// Exit is the program's exit status, -1 if a signal ended it.
	Exit int
}

// A Call is one system call.
type Call struct {
	Name string
	Path string
}

func (c Call) String() string { return c.Name + " " + c.Path }

// A Mark is something that a program says to who traces it.
type Mark int

// The marks.
const (
	// MarkBegin: count from here.
	MarkBegin Mark = iota + 1
	// MarkEnd: do not count any more.
	MarkEnd
	// MarkDurable: what was done up to here must survive a stop of the machine.
	MarkDurable
)

// markBase is in the process id that a Mark asks the process group of: one that Linux never gives out.
const markBase = 0x5e5f_0000
