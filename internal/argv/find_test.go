package argv_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/argv"
)

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "text": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{
		"sh":                         "",
		"/bin/sh":                    "",
		"./good":                     "",
		filepath.Join(dir, "good"):   "",
		"no-such-program":            "there is no program no-such-program in PATH: install it, or write its whole path",
		"/no/such/program":           "there is no program /no/such/program: install it, or mend its path",
		"~/bin/x":                    "there is no program ~/bin/x: install it, or mend its path",
		"./text":                     "the program ./text may not be run: make it executable (chmod +x) for the user that postamt runs as",
		filepath.Join(dir, "folder"): "the program " + filepath.Join(dir, "folder") + " cannot be run: exec: \"" + filepath.Join(dir, "folder") + "\": is a directory",
	} {
		got := ""
		if err := argv.Find(program, dir); err != nil {
			got = err.Error()
			if argv.MayPass(err) {
				t.Errorf("%s: it should need a person", program)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", program, got, want)
		}
	}
}

func TestMayPass(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]bool{
		syscall.EIO: true, syscall.ESTALE: true, syscall.ETIMEDOUT: true, syscall.EMFILE: true,
		syscall.ENOTDIR: false, syscall.ELOOP: false, syscall.ENAMETOOLONG: false,
	} {
		err := fmt.Errorf("the program x cannot be run: %w", &exec.Error{Name: "x", Err: &fs.PathError{Op: "stat", Path: "x", Err: errno}})
		if got := argv.MayPass(err); got != want {
			t.Errorf("%v: %v, want %v", errno, got, want)
		}
	}
	if argv.MayPass(&exec.Error{Name: "x", Err: exec.ErrDot}) || argv.MayPass(nil) {
		t.Error("a program in the current folder, or nothing wrong: it may pass")
	}
}
