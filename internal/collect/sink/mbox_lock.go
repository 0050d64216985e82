package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockMbox takes both locks that programs on Unix respect: the lock of the file, and a file of the same name with
// ".lock". In a folder where the second cannot be made, such as a mail spool of the system, the first has to do.
// unlock gives both up; it must be called before f is closed.
func lockMbox(ctx context.Context, f *os.File, path string) (unlock func(), err error) {
	dot := path + ".lock"
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		busy, err := tryLock(f, dot)
		if err != nil {
			return nil, err
		}
		if busy == "" {
			return func() {
				_ = os.Remove(dot)
				_ = lockFile(f, unix.F_UNLCK) // a program that is being started has a copy of f until its exec
			}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another program keeps it locked (%s): %w", busy, ctx.Err())
		case <-time.After(20*time.Millisecond + rand.N(30*time.Millisecond)):
		}
	}
}

// staleAfter is the age at which a ".lock" file is taken for one of a dead program: those who hold it longer touch it.
const staleAfter = 10 * time.Minute

// dotMark is what our own ".lock" files have in them.
const dotMark = "postamt\n"

// tryLock takes both locks or none; busy says which one is taken.
func tryLock(f *os.File, dot string) (busy string, err error) {
	// The lock of the open file, not of the process: closing another descriptor of it does not give it up. Locks of
	// processes, which other programs use, exclude it all the same.
	err = lockFile(f, unix.F_WRLCK)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return "the file itself", nil
	}
	if err != nil {
		return "", fmt.Errorf("it cannot be locked: %w", err)
	}
	switch err := makeDot(dot); {
	case err == nil, errors.Is(err, fs.ErrPermission):
		return "", nil
	case errors.Is(err, fs.ErrExist):
		return dot, lockFile(f, unix.F_UNLCK)
	default:
		return "", errors.Join(fmt.Errorf("it cannot be locked: %w", err), lockFile(f, unix.F_UNLCK))
	}
}

func lockFile(f *os.File, how int16) error {
	lock := unix.Flock_t{Type: how}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
}

// makeDot makes the ".lock" file, with its content from the first moment on. Whoever calls it holds the lock of the mbox
// itself, so a file with our mark in it belongs to a process of ours that is dead.
func makeDot(dot string) error {
	tmp := dot + nameEnd
	if err := os.WriteFile(tmp, []byte(dotMark), 0o600); err != nil {
		return err
	}
	defer os.Remove(tmp)
	err := os.Link(tmp, dot)
	if !errors.Is(err, fs.ErrExist) || !staleDot(dot) {
		return err
	}
	if err := os.Remove(dot); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(tmp, dot)
}

func staleDot(dot string) bool {
	info, err := os.Lstat(dot)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if time.Since(info.ModTime()) > staleAfter {
		return true
	}
	if info.Size() != int64(len(dotMark)) {
		return false
	}
	text, err := os.ReadFile(dot)
	return err == nil && bytes.Equal(text, []byte(dotMark))
}
