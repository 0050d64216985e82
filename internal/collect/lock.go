package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps a second run of the account out, in this process and, with a folder, in others. The kernel frees the lock
// when its holder dies; the empty file stays.
func (j *Journal) lock(account, folder string) (unlock func(), err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.running[account]; ok {
		return nil, fmt.Errorf("%s: %w", account, ErrLocked)
	}
	var file *os.File
	if folder != "" {
		if file, err = lockFile(account, folder); err != nil {
			return nil, err
		}
	}
	j.running[account] = struct{}{}
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.running, account)
		if file != nil {
			// Closing alone is not enough: a program that is being started has our descriptors, too, until its exec.
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
			_ = file.Close()
		}
	}, nil
}

func lockFile(account, folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("lock of %s: %w", account, err)
	}
	sum := sha256.Sum256([]byte(account)) // a name may have octets that a file's name cannot
	file, err := os.OpenFile(filepath.Join(folder, hex.EncodeToString(sum[:12])), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of %s: %w", account, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // a descriptor is an int
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", account, ErrLocked)
		}
		return nil, fmt.Errorf("lock of %s: %w", account, err)
	}
	return file, nil
}
