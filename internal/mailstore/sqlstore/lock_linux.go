package sqlstore

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lockOctet takes a lock on one octet that belongs to the open file (fcntl_locking(2), "open file description locks"):
// unlike the classic kind it also holds between two Stores of one process, and is not lost when somebody else closes
// the same file. It reports whether the lock was free.
func lockOctet(f *os.File, at int64) (bool, error) {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func unlockOctet(f *os.File, at int64) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart, Start: at, Len: 1})
}
