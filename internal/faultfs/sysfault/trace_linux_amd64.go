package sysfault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"unsafe"
)

// A tracer follows one program.
type tracer struct {
	plan   Plan
	pid    int
	result Result

	counting bool
	calls    map[int]*pending // by thread: the call it is in
	known    map[int]bool     // threads seen
	files    *ledger
}

// A pending call has begun and not ended.
type pending struct {
	call
	fail syscall.Errno // to be returned instead of doing it
	kill bool          // at its end
}

func newTracer(plan Plan, pid int) *tracer {
	return &tracer{
		plan: plan, pid: pid, calls: map[int]*pending{}, known: map[int]bool{pid: true},
		files: newLedger(plan.Folder),
	}
}

// trace lets the program run from one system call to the next until it ends.
func (t *tracer) trace() error {
	if err := syscall.PtraceSyscall(t.pid, 0); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		tid, err := wait(-t.pid, &status)
		if err != nil {
			return fmt.Errorf("sysfault: waiting for the program: %w", err)
		}
		if status.Exited() || status.Signaled() {
			if tid == t.pid {
				t.result.Exit = status.ExitStatus()
				return nil
			}
			continue
		}
		signal := 0
		switch s := status.StopSignal(); {
		case s == syscall.SIGTRAP|0x80:
			if err := t.stop(tid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		case s == syscall.SIGTRAP: // a new thread was made
		case s == syscall.SIGSTOP && !t.known[tid]: // the new thread's first stop
			t.known[tid] = true
		default:
			signal = int(s)
		}
		// A thread that was killed meanwhile is not there any more.
		if err := syscall.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
}

// syscallInfo is struct ptrace_syscall_info of the kernel.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	data [7]uint64 // at entry: number and arguments; at exit: value
}

const (
	ptraceGetSyscallInfo = 0x420e
	atEntry              = 1
	atExit               = 2
)

// stop handles a thread that stands at the entry or the exit of a system call.
func (t *tracer) stop(tid int) error {
	var info syscallInfo
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return errno
	}
	switch info.op {
	case atEntry:
		return t.enter(tid, info.data[0], info.data[1:])
	case atExit:
		return t.leave(tid, int64(info.data[0]))
	default:
		return nil
	}
}

func (t *tracer) enter(tid int, number uint64, args []uint64) error {
	if number == syscall.SYS_GETPGID {
		t.mark(Mark(int32(args[0]) - markBase))
		return nil
	}
	c, ok, err := t.read(tid, number, args)
	if err != nil || !ok {
		return err
	}
	p := &pending{call: c}
	t.calls[tid] = p
	if !t.counting || !t.plan.counts(c) {
		return nil
	}
	t.result.Calls = append(t.result.Calls, Call{Name: c.name, Path: c.path})
	switch n := len(t.result.Calls); {
	case n == t.plan.At:
		t.result.Broken = true
	case t.result.Broken && t.plan.Stay:
	default:
		return nil
	}
	switch {
	case t.plan.Errno != 0:
		p.fail = t.plan.Errno
		return setRegs(tid, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) }) // no such call
	case t.plan.Torn:
		p.kill = true
		return setRegs(tid, func(r *syscall.PtraceRegs) { r.Rdx /= 2 })
	default:
		return syscall.Kill(t.pid, syscall.SIGKILL)
	}
}

func (t *tracer) leave(tid int, value int64) error {
	p := t.calls[tid]
	if p == nil {
		return nil
	}
	delete(t.calls, tid)
	switch {
	case p.fail != 0:
		return setRegs(tid, func(r *syscall.PtraceRegs) { r.Rax = uint64(-int64(p.fail)) })
	case p.kill:
		return syscall.Kill(t.pid, syscall.SIGKILL)
	case value >= 0:
		t.files.done(p.call)
	}
	return nil
}

func (t *tracer) mark(m Mark) {
	switch m {
	case MarkBegin:
		t.counting = true
	case MarkEnd:
		t.counting = false
	case MarkDurable:
		t.result.Marks++
		for _, path := range t.files.unsynced() {
			if !slices.Contains(t.result.Unsynced, path) {
				t.result.Unsynced = append(t.result.Unsynced, path)
			}
		}
	}
}

func setRegs(tid int, change func(*syscall.PtraceRegs)) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	change(&regs)
	return syscall.PtraceSetRegs(tid, &regs)
}

// A ledger knows which files and entries are not durable.
type ledger struct {
	folder string
	dirty  map[string]bool
	fresh  map[string]bool
}

func newLedger(folder string) *ledger {
	return &ledger{folder: folder, dirty: map[string]bool{}, fresh: map[string]bool{}}
}

func (l *ledger) unsynced() []string {
	all := maps.Clone(l.dirty)
	maps.Copy(all, l.fresh)
	return slices.Sorted(maps.Keys(all))
}
