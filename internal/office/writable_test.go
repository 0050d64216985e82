package office

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
)

func TestCheckWritable(t *testing.T) {
	t.Parallel()
	if err := checkWritable(t.TempDir(), syscall.Access); err != nil {
		t.Errorf("a folder of our own: %v", err)
	}
	if err := checkWritable("/nowhere/at/all", syscall.Access); err == nil {
		t.Error("a folder that is not there can be written")
	}
	for errno, want := range map[syscall.Errno]string{
		syscall.EROFS:  "the data folder /data lies on a disk that is mounted read-only, mount it for writing",
		syscall.EACCES: "this user may not write to the data folder /data, check its mode and owner",
	} {
		err := checkWritable("/data", func(string, uint32) error { return errno })
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

func TestNoRoom(t *testing.T) {
	t.Parallel()
	room := func(blocks uint64) func(string, *syscall.Statfs_t) error {
		return func(_ string, st *syscall.Statfs_t) error {
			st.Bavail, st.Bsize = blocks, 4096
			return nil
		}
	}
	io := fmt.Errorf("%w: disk I/O error (4874)", catalog.ErrIO)
	for _, tt := range []struct {
		name   string
		err    error
		statfs func(string, *syscall.Statfs_t) error
		want   bool
	}{
		{"full", io, room(15), true},
		{"not full", io, room(16), false},
		{"nobody knows", io, func(string, *syscall.Statfs_t) error { return syscall.ENOSYS }, false},
		{"full, but that is not why", catalog.ErrCorrupt, room(0), false},
	} {
		err := noRoom("/data", tt.err, tt.statfs)
		if got := errors.Is(err, catalog.ErrFull); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
