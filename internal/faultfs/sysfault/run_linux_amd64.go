package sysfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// Tell says something to who traces this program. Without a tracer it does nothing.
func Tell(m Mark) { _, _ = syscall.Getpgid(markBase + int(m)) }

// Supported returns nil if programs can be traced here.
func Supported() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return onThread(func() error {
		p, err := start(path, nil, &os.ProcAttr{})
		if err != nil {
			return err
		}
		kill(p)
		return nil
	})
}

// Run runs a program as planned and waits for it. When ctx ends the program is killed.
func Run(ctx context.Context, plan Plan, path string, args []string, attr *os.ProcAttr) (Result, error) {
	var result Result
	err := onThread(func() error {
		pid, err := start(path, args, attr)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		defer stop()
		t := newTracer(plan, pid)
		err = t.trace()
		if err != nil {
			kill(pid)
		}
		result = t.result
		return errors.Join(err, ctx.Err())
	})
	return result, err
}

// onThread runs fn on one thread of the operating system, which all calls of ptrace for one program must come from. The
// thread is given up afterwards.
func onThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- fn()
	}()
	return <-done
}

const (
	optSysGood  = 0x1
	optClone    = 0x8
	optExitKill = 0x100000
)

// start starts a program that is stopped before its first instruction, in a process group of its own.
func start(path string, args []string, attr *os.ProcAttr) (int, error) {
	withTrace := *attr
	withTrace.Sys = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	p, err := os.StartProcess(path, append([]string{path}, args...), &withTrace)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	pid := p.Pid
	if err := p.Release(); err != nil { // it is waited for here
		kill(pid)
		return 0, err
	}
	var status syscall.WaitStatus
	if _, err := wait(pid, &status); err != nil {
		kill(pid)
		return 0, err
	}
	if !status.Stopped() {
		return 0, fmt.Errorf("%w: the program did not stop for its tracer", ErrUnsupported)
	}
	if err := syscall.PtraceSetOptions(pid, optSysGood|optClone|optExitKill); err != nil {
		kill(pid)
		return 0, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return pid, nil
}

// kill kills a program and waits for it.
func kill(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	var status syscall.WaitStatus
	for {
		got, err := wait(-pid, &status)
		if err != nil || got == pid && (status.Exited() || status.Signaled()) {
			return
		}
	}
}

// wait waits for a thread of a program, or for any of a process group if pid is negative.
func wait(pid int, status *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, status, syscall.WALL, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}
