package sysfault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/faultfs/sysfault"
)

// childEnv names the folder to a child process of these tests.
const childEnv = "POSTAMT_SYSFAULT_TEST"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child makes a folder and in it a file by each of several goroutines, one after the other. Its exit status tells which
// step failed and how.
func child(dir string) int {
	if os.WriteFile(filepath.Join(dir, "before"), []byte("not counted"), 0o600) != nil {
		return 99
	}
	sysfault.Tell(sysfault.MarkBegin)
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		return status(1, err)
	}
	for i := range 3 {
		var failed error
		var wg sync.WaitGroup
		wg.Go(func() { failed = write(filepath.Join(dir, "d", fmt.Sprint(i))) })
		wg.Wait()
		if failed != nil {
			return status(2+i, failed)
		}
	}
	sysfault.Tell(sysfault.MarkDurable) // which is a lie: no folder was synced
	sysfault.Tell(sysfault.MarkEnd)
	if os.WriteFile(filepath.Join(dir, "after"), nil, 0o600) != nil {
		return 98
	}
	return 0
}

func write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("0123456789"); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func status(step int, err error) int {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return 10 + step
	case errors.Is(err, syscall.EIO):
		return 20 + step
	default:
		return 90
	}
}

// run runs the child as planned in a new folder.
func run(t *testing.T, plan sysfault.Plan) (sysfault.Result, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plan.Folder = dir
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	result, err := sysfault.Run(t.Context(), plan, exe, nil, &os.ProcAttr{
		Env:   append(os.Environ(), childEnv+"="+dir),
		Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, dir
}

func names(calls []sysfault.Call) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = c.Name
	}
	return out
}

func needTracing(t *testing.T) {
	t.Helper()
	t.Parallel()
	if err := sysfault.Supported(); err != nil {
		t.Skip(err)
	}
}

func TestDryRun(t *testing.T) {
	needTracing(t)
	result, dir := run(t, sysfault.Plan{})
	want := strings.Fields("mkdirat" + strings.Repeat(" openat write fsync", 3))
	if got := names(result.Calls); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if result.Broken || result.Exit != 0 || result.Marks != 1 {
		t.Errorf("result %+v", result)
	}
	d := filepath.Join(dir, "d")
	unsynced := []string{filepath.Join(dir, "before"), d, d + "/0", d + "/1", d + "/2"}
	if !slices.Equal(result.Unsynced, unsynced) {
		t.Errorf("not durable: %q, want %q", result.Unsynced, unsynced)
	}
	if result.Calls[1].Path != d+"/0" || result.Calls[9].Path != d+"/2" {
		t.Errorf("calls %v", result.Calls)
	}
}

// Killed at the n-th call, the n-th is not done, and the one before it is.
func TestKill(t *testing.T) {
	needTracing(t)
	for at, want := range map[int]string{
		1: "before=not counted", 2: "before=not counted d/", 3: "before=not counted d/ d/0=",
		4: "before=not counted d/ d/0=0123456789", 10: "before=not counted d/ d/0=0123456789 d/1=0123456789 d/2=0123456789",
	} {
		result, dir := run(t, sysfault.Plan{At: at})
		if !result.Broken || result.Exit != -1 || len(result.Calls) != at {
			t.Errorf("killed at %d: %+v", at, result)
		}
		if got := tree(t, dir); got != want {
			t.Errorf("killed at %d: found %q, want %q", at, got, want)
		}
	}
	if result, _ := run(t, sysfault.Plan{At: 11}); result.Broken || result.Exit != 0 {
		t.Errorf("there is no 11th call: %+v", result)
	}
}

func TestTorn(t *testing.T) {
	needTracing(t)
	result, dir := run(t, sysfault.Plan{At: 2, Torn: true})
	if !result.Broken || result.Exit != -1 || !slices.Equal(names(result.Calls), []string{"write", "write"}) {
		t.Errorf("result %+v", result)
	}
	if got, want := tree(t, dir), "before=not counted d/ d/0=0123456789 d/1=01234"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestErrno(t *testing.T) {
	needTracing(t)
	for _, tt := range []struct {
		errno syscall.Errno
		at    int
		exit  int
	}{
		{syscall.ENOSPC, 1, 11},
		{syscall.ENOSPC, 2, 12},
		{syscall.ENOSPC, 3, 12},
		{syscall.ENOSPC, 4, 12},
		{syscall.ENOSPC, 5, 13},
		{syscall.ENOSPC, 10, 14},
		{syscall.ENOSPC, 11, 0},
		{syscall.EIO, 1, 21},
		{syscall.EIO, 3, 22},
	} {
		result, _ := run(t, sysfault.Plan{At: tt.at, Errno: tt.errno})
		if result.Exit != tt.exit {
			t.Errorf("%v at %d: %+v, want exit status %d", tt.errno, tt.at, result, tt.exit)
		}
	}
}

// A disk that stays full is full until MarkEnd.
func TestStay(t *testing.T) {
	needTracing(t)
	first, _ := run(t, sysfault.Plan{At: 2, Errno: syscall.ENOSPC, Stay: true})
	if want := []string{"mkdirat", "openat"}; first.Exit != 12 || !slices.Equal(names(first.Calls), want) {
		t.Errorf("result %+v, want exit status 12 after %q", first, want)
	}
	result, dir := run(t, sysfault.Plan{At: 3, Errno: syscall.ENOSPC, Stay: true})
	if got, want := tree(t, dir), "before=not counted d/ d/0="; result.Exit != 12 || got != want {
		t.Errorf("result %+v, found %q, want %q", result, got, want)
	}
}

// tree says what is in dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			found = append(found, name+"/")
			return nil
		}
		b, err := os.ReadFile(path)
		found = append(found, name+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}
