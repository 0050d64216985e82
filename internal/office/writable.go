package office

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/postamt/postamt/internal/catalog"
)

// mayWrite is W_OK of access(2).
const mayWrite = 2

// checkWritable says why a data folder cannot be written: the catalog would only say that it cannot be opened, for it
// writes also to read.
func checkWritable(data string, access func(path string, mode uint32) error) error {
	switch err := access(data, mayWrite); {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the data folder %s lies on a disk that is mounted read-only, mount it for writing, which looking at mail needs, too: %w", data, err)
	default:
		return fmt.Errorf("this user may not write to the data folder %s, check its mode and owner: %w", data, err)
	}
}

// noRoom makes an error of opening the catalog one about a full disk, if that is what it is: SQLite only says that a file
// could not be made larger.
func noRoom(data string, err error, statfs func(path string, into *syscall.Statfs_t) error) error {
	var st syscall.Statfs_t
	if !errors.Is(err, catalog.ErrIO) || statfs(data, &st) != nil || int64(st.Bavail)*st.Bsize >= 64<<10 { // the -shm has 32 KiB
		return err
	}
	return fmt.Errorf("%w: %w", catalog.ErrFull, err)
}
