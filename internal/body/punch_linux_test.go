package body

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Punch gives room back, on the file systems that can, and leaves the rest of the file as it is.
func TestPunch(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "bodies")
	fsys, err := Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "x")
	text := strings.Repeat("x", 300_000)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after syscall.Stat_t
	if err := syscall.Stat(name, &before); err != nil {
		t.Fatal(err)
	}
	if err := fsys.Punch("x", 50_000, 200_000); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Stat(name, &after); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == text && after.Blocks == before.Blocks {
		t.Skip("this file system cannot give back the room of a part of a file")
	}
	if want := text[:50_000] + strings.Repeat("\x00", 200_000) + text[250_000:]; string(got) != want {
		t.Error("what is around the hole has changed, or the hole is not where it ought to be")
	}
	if freed := (before.Blocks - after.Blocks) * 512; freed < 180_000 {
		t.Errorf("a hole of 200,000 octets gives back %d", freed)
	}
}

// Where there are no holes that is no fault; a disk that fails is one.
func TestCannotPunch(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]bool{
		syscall.EOPNOTSUPP: true, syscall.ENOSYS: true, syscall.EINVAL: true, syscall.EPERM: true,
		syscall.EIO: false, syscall.ENOSPC: false, syscall.EROFS: false,
	} {
		if cannotPunch(errno) != want {
			t.Errorf("%v: %v, want %v", errno, !want, want)
		}
	}
}
