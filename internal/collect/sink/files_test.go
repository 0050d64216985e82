package sink_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
)

func only(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) != 1 {
		t.Fatalf("%s is %q, %v, want one file", pattern, names, err)
	}
	return names[0]
}

// A message is known again after a mail reader has moved it and set flags, and its file says how large it is.
func TestMaildirKnowsMovedMail(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "Maildir")
	for range 2 {
		s, err := sink.NewMaildir(dir, sink.MaildirOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sinktest.Deliver(t.Context(), s, "a", "X: y\r\n\r\ntext\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if names, _ := filepath.Glob(dir + "/cur/*"); len(names) == 0 {
			old := only(t, dir+"/new/*")
			if base := filepath.Base(old); !strings.HasPrefix(base, "1795350896.K") || !strings.HasSuffix(base, ".postamt,S=11,W=14") {
				t.Errorf("the name is %s", base)
			}
			if info, err := os.Stat(old); err != nil || !info.ModTime().Equal(time.Unix(1795350896, 0)) || info.Mode().Perm() != 0o600 {
				t.Errorf("time or mode: %v, %v", info, err)
			}
			if err := os.Rename(old, filepath.Join(dir, "cur", filepath.Base(old)+":2,FS")); err != nil {
				t.Fatal(err)
			}
		}
	}
	only(t, dir+"/*/*")
}

// What a dead process left in tmp is taken away, what a living one has there is not.
func TestMaildirCleansTmp(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "Maildir")
	a, err := sink.NewMaildir(dir, sink.MaildirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alive, err := a.Begin(t.Context(), sinktest.Letter("alive"))
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "tmp", "K"+strings.Repeat("0", 32)+".postamt")
	other := filepath.Join(dir, "tmp", "1795350896.other.host")
	for _, name := range []string{dead, other} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := sink.NewMaildir(dir, sink.MaildirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sinktest.Deliver(t.Context(), b, "b", text); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(t.Context(), sinktest.Letter("alive")); kindOf(err) != "temporary" {
		t.Errorf("a letter that another process delivers: %v, want a temporary error", err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead one's file: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another program's file: %v", err)
	}
	if err := alive.Commit(t.Context()); err != nil {
		t.Errorf("the living one: %v", err)
	}
}

func TestFilesWithoutFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing", "x")
	md, err := sink.NewMaildir(dir, sink.MaildirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mb, err := sink.NewMbox(dir, sink.MboxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sinktest.Deliver(t.Context(), md, "a", text); kindOf(err) != "temporary" {
		t.Errorf("Maildir: %v", err)
	}
	if err := sinktest.Deliver(t.Context(), mb, "a", text); kindOf(err) != "temporary" {
		t.Errorf("mbox: %v", err)
	}
}

func newMbox(t *testing.T, path string, opt sink.MboxOptions) *sink.Mbox {
	t.Helper()
	s, err := sink.NewMbox(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The lock of another program is waited for, and not for ever.
func TestMboxLocks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mbox")
	patient, hasty := newMbox(t, path, sink.MboxOptions{}), newMbox(t, path, sink.MboxOptions{LockTimeout: 100 * time.Millisecond})
	deliver := func(key, want string) {
		t.Helper()
		s := patient
		if want == "temporary" {
			s = hasty
		}
		if err := sinktest.Deliver(t.Context(), s, key, text); kindOf(err) != want {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
	deliver("a", "delivered")
	dot := path + ".lock"
	if err := os.WriteFile(dot, []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver("dot lock", "temporary")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dot, old, old); err != nil {
		t.Fatal(err)
	}
	deliver("old dot lock", "delivered")
	if err := os.WriteFile(dot, []byte("postamt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver("dot lock of ours that died", "delivered")
	if _, err := os.Stat(dot); !os.IsNotExist(err) {
		t.Errorf("the dot lock is still there: %v", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const ofdSetLock = 37 // F_OFD_SETLK
	if err := syscall.FcntlFlock(f.Fd(), ofdSetLock, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	deliver("lock of the file", "temporary")
	if err := syscall.FcntlFlock(f.Fd(), ofdSetLock, &syscall.Flock_t{Type: syscall.F_UNLCK}); err != nil {
		t.Fatal(err)
	}
	deliver("lock of the file", "delivered")
}

// Messages of other programs stay, whatever the end of the file looks like, and deleting the mbox brings nothing back.
func TestMboxOfOthers(t *testing.T) {
	t.Parallel()
	for _, there := range []string{
		"From a@b Sun Nov 22 12:34:56 2026\nX: 1\n\nold\n\n",
		"From a@b Sun Nov 22 12:34:56 2026\nX: 1\n\nold\n",
		"From a@b Sun Nov 22 12:34:56 2026\nX: 1\n\nold",
	} {
		path := filepath.Join(t.TempDir(), "mbox")
		if err := os.WriteFile(path, []byte(there), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newMbox(t, path, sink.MboxOptions{})
		if err := sinktest.Deliver(t.Context(), s, "a", "X: 2\r\n\r\nFrom new\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		want := "From a@b Sun Nov 22 12:34:56 2026\nX: 1\n\nold\n\nFrom friend@example.com Sun Nov 22 12:34:56 2026\nX: 2\n\n>From new\n\n"
		if err != nil || string(got) != want {
			t.Errorf("%v; the file has %q, want %q", err, got, want)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := sinktest.Deliver(context.Background(), s, "a", text); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != 0 {
			t.Errorf("a letter that is known came again: %v, %v", info, err)
		}
	}
}
