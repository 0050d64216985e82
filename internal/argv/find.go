package argv

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Find says what is wrong with a program that is to be started in the folder dir: a name that is looked for in PATH, or a
// path. The error, of one sentence, says what to do; it is about what is so now.
func Find(program, dir string) error {
	path := program
	if strings.Contains(path, "/") && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path) // as exec.Cmd does
	}
	_, err := exec.LookPath(path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the program %s may not be run: make it executable (chmod +x) for the user that postamt runs as", program)
	case errors.Is(err, exec.ErrNotFound) && path == program && !strings.Contains(program, "/"):
		return fmt.Errorf("there is no program %s in PATH: install it, or write its whole path", program)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no program %s: install it, or mend its path", program)
	}
	return fmt.Errorf("the program %s cannot be run: %w", program, err)
}

// MayPass reports whether what Find said may pass without anybody mending it, as when the disk that the program is on gives
// no answer.
func MayPass(err error) bool {
	lasting := []syscall.Errno{syscall.EISDIR, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.ENOENT, syscall.EACCES, syscall.EPERM}
	var errno syscall.Errno
	return errors.As(err, &errno) && !slices.Contains(lasting, errno)
}
