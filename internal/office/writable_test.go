package office

import (
	"strings"
	"syscall"
	"testing"
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
