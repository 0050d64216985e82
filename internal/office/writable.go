package office

import (
	"errors"
	"fmt"
	"syscall"
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
