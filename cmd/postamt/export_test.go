package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/faultfs/sysfault"
)

// Wherever an export into a Maildir is killed or its disk fails, what has a name in new is whole and was made durable before
// it got it, and the next run adds the rest.
func TestExportBroken(t *testing.T) {
	t.Parallel()
	needBroken(t)
	base := newMoving(t)
	const messages = 150
	base.must(t, "", "import", "mbox", base.mbox(t, sized(messages)...), "bob")
	export := func(t *testing.T, plan sysfault.Plan) (out string, result sysfault.Result, said string) {
		t.Helper()
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		plan.Folder = filepath.Join(dir, "out")
		result, said = base.broken(t, plan, "export", "bob", plan.Folder)
		return plan.Folder, result, said
	}
	for name, plan := range map[string]sysfault.Plan{
		"Kill":   {},
		"ENOSPC": {Errno: syscall.ENOSPC, Stay: true},
		"EIO":    {Errno: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, dry, _ := export(t, sysfault.Plan{Errno: plan.Errno})
			if plan.Errno == 0 {
				syncedFirst(t, dry.Calls, messages)
			}
			some := false
			const points = 3
			for i := range points {
				plan.At = 1 + (2*i+1)*len(dry.Calls)/(2*points)
				out, result, said := export(t, plan)
				if !result.Broken {
					continue // it took fewer calls this time
				}
				if result.Exit == 0 {
					t.Errorf("broken at %d, and it ended well: %s", plan.At, said)
				}
				n := whole(t, out)
				some = some || n > 0 && n < messages
				base.must(t, "", "export", "bob", out)
				if n := whole(t, out); n != messages {
					t.Errorf("broken at %d: %d messages after the next run, want %d", plan.At, n, messages)
				}
			}
			if !some {
				t.Error("no run was broken in the middle: this proved little")
			}
		})
	}
}

// syncedFirst checks that every file was made durable after it was written to and before it got its name.
func syncedFirst(t *testing.T, calls []sysfault.Call, want int) {
	t.Helper()
	synced := make(map[string]bool)
	renamed := 0
	for _, c := range calls {
		switch {
		case c.Name == "write":
			synced[c.Path] = false
		case c.Name == "fsync":
			synced[c.Path] = true
		case strings.HasPrefix(c.Name, "rename"):
			renamed++
			if !synced[c.Path] {
				t.Errorf("%s got its name before it was durable", c.Path)
			}
			delete(synced, c.Path)
		}
	}
	if renamed != want {
		t.Errorf("%d files got their names, want %d", renamed, want)
	}
}

// whole checks that each message of a Maildir is as long as its name says, and each is there once, and returns how many
// there are.
func whole(t *testing.T, maildir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(maildir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, fmt.Sprintf(",S=%d,", len(text))) {
			t.Errorf("%s has %d octets", name, len(text))
		}
		first, _, _ := bytes.Cut(text, []byte("\n"))
		if seen[string(first)] {
			t.Errorf("%s is there twice", first)
		}
		seen[string(first)] = true
	}
	return len(files)
}
