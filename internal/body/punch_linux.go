package body

import (
	"errors"
	"io/fs"
	"syscall"
)

// From linux/falloc.h.
const (
	fallocKeepSize  = 0x1
	fallocPunchHole = 0x2
)

func (d dirFS) Punch(name string, at, octets int64) error {
	path := d.name(name)
	fd, err := open(path, syscall.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = syscall.EINTR
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Fallocate(fd, fallocPunchHole|fallocKeepSize, at, octets)
	}
	if cerr := syscall.Close(fd); err == nil {
		err = cerr
	}
	if err == nil || cannotPunch(err) {
		return nil
	}
	return &fs.PathError{Op: "fallocate", Path: path, Err: err}
}

// cannotPunch reports whether an error says that there are no holes here: file systems, those in user space above all, and
// filters of system calls have several for it, and there is nothing else that these could mean.
func cannotPunch(err error) bool {
	return errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) ||
		errors.Is(err, syscall.EPERM)
}
