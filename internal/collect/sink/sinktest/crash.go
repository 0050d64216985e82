package sinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/faultfs/sysfault"
)

// The environment of a child.
const (
	childFolder = "POSTAMT_SINK_FOLDER"
	childKind   = "POSTAMT_SINK_KIND"
)

// strideEnv makes Crash take only every n-th system call.
const strideEnv = "POSTAMT_CRASH_STRIDE"

// A before is a message that is there when a child begins; the others it delivers, the first of them twice.
var (
	before  = message{"key-before", "N: before\r\n\r\nFrom the beginning\r\n"}
	childOf = []message{
		{"key-0", "N: 0\r\n\r\n" + strings.Repeat("From zero\r\n", 20)},
		{"key-1", "N: 1\r\n\r\n" + strings.Repeat("0123456789abcde\r\n", 8000)}, // more than one write
		{"key-0", "N: 0\r\n\r\n" + strings.Repeat("From zero\r\n", 20)},
		{"key-2", "N: 2\r\n\r\nwithout an end\r\n"},
	}
)

type message struct{ key, text string }

// Child is for TestMain: in a process that Crash has started it delivers messages and exits. kinds are the sinks by the
// names that Crash is given.
func Child(kinds map[string]Harness) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		return
	}
	h, ok := kinds[os.Getenv(childKind)]
	if !ok {
		fmt.Println("error: no such kind of sink")
		os.Exit(1)
	}
	sysfault.Tell(sysfault.MarkBegin)
	err := h.child(dir)
	sysfault.Tell(sysfault.MarkEnd)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (h Harness) child(dir string) error {
	s, err := h.Open(dir)
	if err != nil {
		fmt.Println("closed")
		return nil // a store on a failing disk need not open
	}
	for i, m := range childOf {
		err := Deliver(context.Background(), s, m.key, m.text)
		switch {
		case err == nil:
			sysfault.Tell(sysfault.MarkDurable)
			fmt.Println("delivered", i)
		case !isTemporary(err):
			return fmt.Errorf("not a *collect.TemporaryError: %w", err)
		}
	}
	// One that is given up.
	d, err := s.Begin(context.Background(), Letter("key-aborted"))
	if err != nil && !isTemporary(err) {
		return err
	}
	if err == nil {
		_, _ = io.WriteString(d, "X: given up\r\n")
		d.Abort()
	}
	_ = s.Close()
	return nil
}

// Crash runs the sink in processes of their own and breaks every system call that touches its folder, one in each
// process: the process is killed there, or killed with half of a write done, or the call fails with ENOSPC (once, or from
// there on) or EIO. Then it opens the sink again, delivers every letter again, as the collector would, and sees that each is
// there exactly once and whole. In the dry run it also sees that whatever was said to be delivered had been synced.
//
// TestMain must call [Child] with the same kind. Every stride-th call is taken; POSTAMT_CRASH_STRIDE=n takes only every n-th call; with -short
// n is 7, and under the race detector, which makes processes slow and finds nothing more here, 29.
func Crash(t *testing.T, kind string, h Harness, stride int) {
	if err := sysfault.Supported(); err != nil {
		t.Skipf("skipped, nothing was crashed: %v", err)
	}
	switch {
	case underRace:
		stride = 29
	case testing.Short():
		stride = 7
	}
	if s := os.Getenv(strideEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is not a number from 1", strideEnv, s)
		}
		stride = n
	}
	t.Run("Durable", func(t *testing.T) {
		t.Parallel()
		result, dir, said := h.run(t, kind, sysfault.Plan{})
		if result.Exit != 0 || result.Marks != len(childOf) {
			t.Fatalf("exit status %d, %d acknowledgements: %q", result.Exit, result.Marks, said)
		}
		for _, path := range result.Unsynced {
			// Shared memory of SQLite, which it builds anew, and locks, which say nothing after a crash.
			if !strings.HasSuffix(path, "-shm") && !strings.Contains(strings.TrimPrefix(path, dir), "lock") {
				t.Errorf("acknowledged before %s was durable", path)
			}
		}
		t.Logf("%d system calls: %s", len(result.Calls), strings.ReplaceAll(fmt.Sprint(result.Calls), dir, ""))
		h.audit(t, dir, said, "with nothing broken")
	})
	for _, how := range []struct {
		name string
		plan sysfault.Plan
	}{
		{"Kill", sysfault.Plan{}},
		{"KillInWrite", sysfault.Plan{Torn: true}},
		{"ENOSPC", sysfault.Plan{Errno: syscall.ENOSPC}},
		{"ENOSPCStays", sysfault.Plan{Errno: syscall.ENOSPC, Stay: true}},
		{"EIO", sysfault.Plan{Errno: syscall.EIO}},
	} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			n, at := 0, 1
			for ; ; at += stride {
				plan := how.plan
				plan.At = at
				result, dir, said := h.run(t, kind, plan)
				if !result.Broken {
					break
				}
				n++
				when := fmt.Sprintf("broken at %d, %s", at, strings.ReplaceAll(result.Calls[at-1].String(), dir, ""))
				if killed := plan.Errno == 0; killed != (result.Exit < 0) || !killed && result.Exit != 0 {
					t.Errorf("%s: exit status %d, the process said %q", when, result.Exit, said)
				}
				h.audit(t, dir, said, when)
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			}
			t.Logf("%s: broke one system call in %d processes", how.name, n)
			if at < 4 {
				t.Errorf("only %d system calls to break: this test proves little", n)
			}
		})
	}
}

// run runs a child on a sink with one message and returns what it said.
func (h Harness) run(t *testing.T, kind string, plan sysfault.Plan) (sysfault.Result, string, []string) {
	t.Helper()
	parent, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, fmt.Sprint(plan.At))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := h.open(t, dir)
	if err := Deliver(t.Context(), s, before.key, before.text); err != nil {
		t.Fatal(err)
	}
	h.close(t, s)
	plan.Folder = dir
	result, said := sysfault.Self(t, plan, childFolder+"="+dir, childKind+"="+kind)
	return result, dir, said
}

// audit does what the collector does after a crash, and counts.
func (h Harness) audit(t *testing.T, dir string, said []string, when string) {
	t.Helper()
	there, err := h.Read(dir)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for _, line := range said {
		var i int
		if n, err := fmt.Sscanf(line, "delivered %d", &i); n == 1 && err == nil {
			// Something torn may hang on at its end until the next delivery cuts it off.
			if !slices.ContainsFunc(there, func(text string) bool { return strings.HasPrefix(text, childOf[i].text) }) {
				t.Errorf("%s: lost %s, which was said to be delivered", when, childOf[i].key)
			}
		} else if line != "closed" {
			t.Errorf("%s: the process said %q", when, line)
		}
	}
	var s collect.Sink
	want := map[string]bool{before.text: true}
	for range 2 { // and a second crash costs nothing
		if s, err = h.Open(dir); err != nil {
			t.Fatalf("%s: opening again: %v", when, err)
		}
		for _, m := range append([]message{before, {"key-after", "N: after\r\n\r\n"}}, childOf...) {
			want[m.text] = true
			if err := Deliver(t.Context(), s, m.key, m.text); err != nil {
				t.Errorf("%s: delivering %s again: %v", when, m.key, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	if there, err = h.Read(dir); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for _, text := range there {
		if !want[text] {
			t.Errorf("%s: torn or twice: %.60q of %d octets", when, text, len(text))
		}
		delete(want, text)
	}
	for text := range want {
		t.Errorf("%s: lost %.60q", when, text)
	}
	h.leftovers(t, dir, when)
}

// leftovers sees that nothing of a crash stays for good.
func (h Harness) leftovers(t *testing.T, dir, when string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		name := e.Name()
		if err == nil && !e.IsDir() && (filepath.Base(filepath.Dir(path)) == "tmp" || strings.Contains(name, ".lock") ||
			strings.HasPrefix(name, ".") && strings.Contains(name, ".K")) {
			return errors.New(name + " is still there")
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: %v", when, err)
	}
}
