package office

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockName is the file in the data folder that the daemon keeps locked, so that no second one runs on the same folder.
// Commands work beside the daemon and do not take it.
const lockName = "daemon.lock"

// A RunningError says that a daemon runs on the data folder already.
type RunningError struct {
	Data string
	PID  string // as the other one wrote it; may be empty
}

func (e *RunningError) Error() string {
	who := "another postamt serve"
	if e.PID != "" {
		who += " (process " + e.PID + ")"
	}
	return fmt.Sprintf("%s runs on the data folder %s, stop it first or name another folder with data", who, e.Data)
}

// lockData takes the lock of a data folder. The kernel frees it when the process ends, however it ends.
func lockData(data string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = errors.Join(f.Truncate(0), writePID(f))
	}
	if err == nil {
		return f, nil
	}
	defer func() { _ = f.Close() }()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, &RunningError{Data: data, PID: strings.TrimSpace(string(pid))}
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}

// unlockData gives the lock up. Closing alone is not enough: a program that is being started has our descriptors, too,
// until its exec.
func unlockData(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}
