package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another process holds is looked at. Asking for a token takes some tenths of a second.
const lockPoll = 50 * time.Millisecond

// lock waits until nobody else, in this process or another one, holds the account's lock. The kernel frees it when its
// holder dies; the empty file stays.
func lock(ctx context.Context, folder, account string) (unlock func(), err error) {
	if err := makeFolder(folder); err != nil {
		return nil, &storeError{fmt.Errorf("lock of the token of %s: %w", account, err)}
	}
	file, err := os.OpenFile(filepath.Join(folder, fileName(account)+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &storeError{fmt.Errorf("lock of the token of %s: %w", account, err)}
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, &storeError{fmt.Errorf("lock of the token of %s: %w", account, err)}
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("another process is renewing the token of %s: %w", account, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return func() {
		// Closing alone is not enough: a program that is being started has our descriptors, too, until its exec.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}, nil
}

// fileName makes a file's name of an account's name, which may have octets that a file's name cannot.
func fileName(account string) string {
	sum := sha256.Sum256([]byte(account))
	return hex.EncodeToString(sum[:12])
}
