package faultfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs"
)

const newFile = os.O_WRONLY | os.O_CREATE | os.O_EXCL

func newFS(t *testing.T) (*faultfs.FS, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	f, err := faultfs.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

// script does what its words say: "mkdir x", "create x" (and keep it open), "write x" (4 octets), "sync x", "close x",
// "remove x", "syncdir x".
func script(t *testing.T, f *faultfs.FS, steps ...string) {
	t.Helper()
	open := map[string]body.File{}
	for _, s := range steps {
		verb, name, _ := strings.Cut(s, " ")
		var err error
		switch verb {
		case "mkdir":
			err = f.Mkdir(name, 0o700)
		case "create":
			open[name], err = f.OpenFile(name, newFile, 0o600)
		case "write":
			_, err = open[name].Write([]byte("mail"))
		case "sync":
			err = open[name].Sync()
		case "close":
			err = open[name].Close()
		case "remove":
			err = f.Remove(name)
		case "syncdir":
			err = f.SyncDir(name)
		default:
			t.Fatalf("what is %q?", s)
		}
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// tree lists what is in dir: folders with a slash, files with their content.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			names = append(names, name+"/")
			return nil
		}
		b, err := os.ReadFile(path)
		names = append(names, name+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestCrash(t *testing.T) {
	t.Parallel()
	made := []string{"create a", "write a", "sync a", "close a", "syncdir ."}
	for _, tt := range []struct {
		name  string
		steps []string
		loss  faultfs.Loss
		want  []string
	}{
		{"all durable", made, faultfs.LoseUnsynced, []string{"a=mail"}},
		{"name not durable", []string{"create a", "write a", "sync a"}, faultfs.LoseUnsynced, nil},
		{"content not durable", []string{"create a", "write a", "syncdir ."}, faultfs.LoseUnsynced, []string{"a="}},
		{"half durable", []string{"create a", "write a", "sync a", "write a", "syncdir ."}, faultfs.LoseUnsynced, []string{"a=mail"}},
		{"death of a process", []string{"create a", "write a"}, faultfs.LoseNothing, []string{"a=mail"}},
		{"folder not durable", []string{"mkdir d", "create d/a", "write d/a", "sync d/a", "syncdir d"}, faultfs.LoseUnsynced, nil},
		{"folder durable", []string{"mkdir d", "create d/a", "syncdir d", "syncdir ."}, faultfs.LoseUnsynced, []string{"d/", "d/a="}},
		{"removal not durable", append(made[:len(made):len(made)], "remove a"), faultfs.LoseUnsynced, []string{"a=mail"}},
		{"removal durable", append(made[:len(made):len(made)], "remove a", "syncdir ."), faultfs.LoseUnsynced, nil},
		{"removal, process dead", append(made[:len(made):len(made)], "remove a"), faultfs.LoseNothing, nil},
		{"made and removed", []string{"create a", "write a", "remove a"}, faultfs.LoseUnsynced, nil},
		{"folder comes again", []string{"mkdir d", "syncdir .", "remove d", "mkdir d"}, faultfs.LoseUnsynced, []string{"d/"}},
		{
			"removal of a folder and what was in it",
			[]string{"mkdir d", "create d/a", "write d/a", "sync d/a", "syncdir d", "syncdir .", "remove d/a", "remove d"},
			faultfs.LoseUnsynced,
			[]string{"d/", "d/a=mail"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, dir := newFS(t)
			script(t, f, tt.steps...)
			if err := f.Crash(tt.loss, 1); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, dir); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if err := f.Mkdir("x", 0o700); !errors.Is(err, faultfs.ErrKilled) {
				t.Errorf("after the crash: %v", err)
			}
		})
	}
}

// LoseSome finds different worlds, and the same seed the same one.
func TestCrashSome(t *testing.T) {
	t.Parallel()
	worlds := map[string]int{}
	for seed := range uint64(64) {
		var found [2]string
		for i := range found {
			f, dir := newFS(t)
			script(t, f, "create a", "write a", "sync a", "write a", "create b", "write b", "syncdir .", "create c")
			if err := f.Crash(faultfs.LoseSome, seed); err != nil {
				t.Fatal(err)
			}
			found[i] = strings.Join(tree(t, dir), " ")
			if !strings.HasPrefix(found[i], "a=mail") || !strings.Contains(found[i], " b=") {
				t.Fatalf("something durable is lost: %q", found[i])
			}
		}
		if found[0] != found[1] {
			t.Fatalf("seed %d gives %q and %q", seed, found[0], found[1])
		}
		worlds[found[0]]++
	}
	if len(worlds) < 10 {
		t.Errorf("only %d different worlds: %v", len(worlds), worlds)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	deliver := func(f *faultfs.FS) error {
		file, err := f.OpenFile("a", newFile, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write([]byte("mail"))
		return errors.Join(err, file.Sync(), file.Close(), f.SyncDir("."))
	}
	for _, tt := range []struct {
		name    string
		plan    faultfs.Plan
		err     error
		content string // of a, "-" if it is not there
		ops     int
	}{
		{"nothing", faultfs.Plan{}, nil, "mail", 5},
		{"beyond the end", faultfs.Plan{At: 6, Err: syscall.EIO}, nil, "mail", 5},
		{"no file", faultfs.Plan{At: 1, Err: syscall.ENOSPC}, syscall.ENOSPC, "-", 1},
		{"no write", faultfs.Plan{At: 2, Err: syscall.EIO}, syscall.EIO, "", 5},
		{"half a write", faultfs.Plan{At: 2, Err: syscall.ENOSPC, Short: true}, syscall.ENOSPC, "ma", 5},
		{"no sync", faultfs.Plan{At: 3, Err: syscall.EIO}, syscall.EIO, "mail", 5},
		{"killed in a write", faultfs.Plan{At: 2, Kill: true}, faultfs.ErrKilled, "ma", 2},
		{"passed over", faultfs.Plan{At: 4, Err: syscall.EROFS}, nil, "mail", 5},
		{"stays", faultfs.Plan{At: 2, Err: syscall.ENOSPC, Stay: true}, syscall.ENOSPC, "", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, dir := newFS(t)
			f.Set(tt.plan)
			if err := deliver(f); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if got := len(f.Ops()); got != tt.ops {
				t.Errorf("%d operations, want %d: %v", got, tt.ops, f.Ops())
			}
			if got := f.Failed(); got != (tt.err != nil) {
				t.Errorf("Failed is %v", got)
			}
			b, err := os.ReadFile(filepath.Join(dir, "a"))
			if errors.Is(err, fs.ErrNotExist) {
				b = []byte("-")
			}
			if string(b) != tt.content {
				t.Errorf("content %q, want %q", b, tt.content)
			}
		})
	}
}

// After a failed fsync the content is lost, whatever the next one says.
func TestFailedSyncLosesContent(t *testing.T) {
	t.Parallel()
	f, dir := newFS(t)
	file, err := f.OpenFile("a", newFile, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("mail")); err != nil {
		t.Fatal(err)
	}
	f.Set(faultfs.Plan{At: 1, Err: syscall.EIO})
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := errors.Join(file.Sync(), file.Close(), f.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	if err := f.Crash(faultfs.LoseUnsynced, 0); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); !slices.Equal(got, []string{"a="}) {
		t.Errorf("found %q", got)
	}
}
