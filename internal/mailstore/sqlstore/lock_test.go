package sqlstore

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/mailstore"
)

// lockEnv makes this test binary take a lock in the folder it names, say so, and hold it until it is killed.
const lockEnv = "POSTAMT_TEST_LOCK_FOLDER"

func TestLockHolder(t *testing.T) {
	folder := os.Getenv(lockEnv)
	if folder == "" {
		return // only as a child of TestLockOfAnotherProcess
	}
	locks, err := openLocks(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := locks.lock(5); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("locked\n")
	select {}
}

// A lock holds against other processes, and ends with its holder even if that is killed.
func TestLockOfAnotherProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: maildrops are locked between processes on Linux only")
	}
	folder := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestLockHolder$")
	child.Env = append(os.Environ(), lockEnv+"="+folder)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "locked" {
		t.Errorf("the child says %q, %v", line, err)
	}
	locks, err := openLocks(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := locks.lock(5); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("while the child holds it: %v, want ErrInUse", err)
	}
	if err := locks.lock(5 + lockFiles); err != nil {
		t.Errorf("another lock in the same file: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = child.Wait() // it was killed, and says so
	if err := locks.lock(5); err != nil {
		t.Errorf("after the child was killed: %v", err)
	}
	if err := locks.close(); err != nil {
		t.Error(err)
	}
}

func TestLocksOfTwoTables(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var tables [2]*lockTable
	for i := range tables {
		var err error
		if tables[i], err = openLocks(folder); err != nil {
			t.Fatal(err)
		}
	}
	a, b := tables[0], tables[1]
	if err := a.lock(maxID); err != nil {
		t.Fatal(err)
	}
	if err := a.lock(maxID); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("twice: %v, want ErrInUse", err)
	}
	if err := b.lock(maxID); !errors.Is(err, mailstore.ErrInUse) {
		t.Errorf("by another: %v, want ErrInUse", err)
	}
	if err := a.unlock(maxID); err != nil {
		t.Fatal(err)
	}
	if err := b.lock(maxID); err != nil {
		t.Errorf("after it was freed: %v", err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	if err := a.lock(1); !errors.Is(err, mailstore.ErrUnavailable) {
		t.Errorf("after closing: %v, want ErrUnavailable", err)
	}
	if err := a.unlock(maxID); err != nil {
		t.Errorf("unlocking after closing: %v", err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
}

// However many maildrops there are, the files for their locks stay few.
func TestLockFilesAreBounded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	locks, err := openLocks(folder)
	if err != nil {
		t.Fatal(err)
	}
	for id := range int64(1000) {
		if err := locks.lock(id * 7919); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) > lockFiles {
		t.Errorf("%d files, %v", len(files), err)
	}
	if err := locks.close(); err != nil {
		t.Error(err)
	}
}
