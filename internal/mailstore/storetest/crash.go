package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/faultfs/sysfault"
	"github.com/postamt/postamt/internal/mailstore"
)

// strideEnv makes Crash take every n-th system call. Without it n is 7, because all of them take half a minute or more.
const strideEnv = "POSTAMT_CRASH_STRIDE"

// Crash runs the store in processes of their own and breaks every system call that touches the store's folder, one in
// each process, during deliveries one after the other and at the same time, an update, a sweep and a close: the process is
// killed there, or killed with half of a write done, or the call fails with ENOSPC (once, or from there on) or EIO. Then it
// opens the store again and accounts for every message. In the dry run it also sees that whatever was acknowledged had
// been synced, the database's files included.
//
// The package's TestMain must call [Child]. POSTAMT_CRASH_STRIDE=1 takes every call, as CI does; without it every seventh
// is taken. Where processes cannot be traced the test is skipped, or fails if POSTAMT_PEERS=required.
func Crash(t *testing.T, open Opener) {
	if err := sysfault.Supported(); err != nil {
		if os.Getenv("POSTAMT_PEERS") == "required" {
			t.Fatalf("nothing can be crashed here: %v", err)
		}
		t.Skipf("skipped, nothing was crashed: %v", err)
	}
	stride := 7
	if s := os.Getenv(strideEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is not a number from 1", strideEnv, s)
		}
		stride = n
	}
	base := newBase(t, open)
	for script := range scripts {
		t.Run(script, func(t *testing.T) {
			t.Run("Durable", func(t *testing.T) {
				t.Parallel()
				base.dryRun(t, open, script)
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
					at := 1
					for base.crash(t, open, script, how.plan, at) {
						at += stride
					}
					t.Logf("%s: broke one system call in %d processes", how.name, (at-1)/stride)
					if at < 4 {
						t.Errorf("only %d system calls to break: this test proves little", at)
					}
				})
			}
		})
	}
}

// run runs a child on a copy of the store and returns what it said.
func (b *base) run(t *testing.T, script string, plan sysfault.Plan) (sysfault.Result, string, []string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, fmt.Sprint(plan.At))
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	plan.Folder = dir
	result, said := sysfault.Self(t, plan, childFolder+"="+dir, childScript+"="+script)
	return result, dir, said
}

// dryRun breaks nothing, and sees that what was acknowledged had been synced.
func (b *base) dryRun(t *testing.T, open Opener, script string) {
	result, dir, said := b.run(t, script, sysfault.Plan{})
	if result.Exit != 0 || result.Marks == 0 {
		t.Fatalf("exit status %d, %d acknowledgements: %q", result.Exit, result.Marks, said)
	}
	for _, path := range result.Unsynced {
		// Shared memory of SQLite, which it builds anew, and locks, which say nothing after a crash.
		if strings.HasSuffix(path, "-shm") || strings.Contains(strings.TrimPrefix(path, dir), "lock") {
			continue
		}
		// A sweep writes no bodies, it makes holes. One that comes undone costs room, no more.
		if script == sweepScript && strings.HasPrefix(path, filepath.Join(dir, "bodies")) {
			continue
		}
		t.Errorf("acknowledged before %s was durable", path)
	}
	t.Logf("%d system calls: %s", len(result.Calls), strings.ReplaceAll(fmt.Sprint(result.Calls), dir, ""))
	if script == sweepScript {
		b.auditHoles(t, filepath.Join(dir, "bodies"))
	}
	b.audit(t, open, dir, script, said, "with nothing broken")
}

// crash breaks call number at, opens the store again and accounts. It is false when there is no such call.
func (b *base) crash(t *testing.T, open Opener, script string, plan sysfault.Plan, at int) bool {
	t.Helper()
	plan.At = at
	result, dir, said := b.run(t, script, plan)
	if !result.Broken {
		return false
	}
	when := fmt.Sprintf("broken at %d, %s", at, strings.ReplaceAll(result.Calls[at-1].String(), dir, ""))
	if killed := plan.Errno == 0; killed != (result.Exit < 0) || !killed && result.Exit != 0 {
		t.Errorf("%s: exit status %d, the process said %q", when, result.Exit, said)
	}
	b.audit(t, open, dir, script, said, when)
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return true
}

// audit opens a store and compares it with what the process on it said.
func (b *base) audit(t *testing.T, open Opener, dir, script string, said []string, when string) {
	t.Helper()
	note := &noted{tester: t, when: when}
	l, deleted := b.expect(note, said)
	cfg, err := childConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	later := newClock()
	cfg.Now = later.now
	s, err := open(dir, cfg)
	if err != nil {
		t.Fatalf("%s: opening again: %v", when, err)
	}
	defer s.Close()
	clean(note, s)
	b.auditDeleted(note, s, l, deleted)
	// What was deleted before comes back whole, unless it was swept.
	n, err := s.Undelete(background, bob, time.Time{})
	if err != nil || n != deletedBefore && script != sweepScript {
		t.Errorf("%s: %d messages that were deleted before came back, want %d; %v", when, n, deletedBefore, err)
	}
	l.maybe[bob] = append(l.maybe[bob], b.deleted...)
	l.audit(note, s)
	if script == batchScript {
		auditBatch(note, s)
	}
	if err := l.deliver(s, "after\r\n", alice, bob); err != nil {
		t.Errorf("%s: delivering again: %v", when, err)
	}
	l.audit(note, s)
	if script == sweepScript {
		auditRoom(note, s, later, filepath.Join(dir, "bodies"))
	}
}

// expect reads what a process said.
func (b *base) expect(t tester, said []string) (l *ledger, deleted bool) {
	l = b.ledger()
	for _, line := range said {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && words[0] == "delivered":
			i, err := strconv.Atoi(words[1])
			if err != nil || i >= len(childTexts) || len(words) != 2+len(childTexts[i].drops) {
				t.Fatalf("the process said %q", line)
			}
			for k, id := range childTexts[i].drops {
				l.must[id][words[2+k]] = childTexts[i].text
			}
		case line == "deleted":
			deleted = true
		case len(words) > 0 && words[0] == "untyped":
			t.Errorf("an error of the disk is not ErrUnavailable: %s", line)
		default:
			t.Errorf("the process said %q", line)
		}
	}
	// Each may have been begun without an answer, once: where the process was killed.
	for _, m := range childTexts {
		for _, id := range m.drops {
			l.maybe[id] = append(l.maybe[id], m.text)
		}
	}
	return l, deleted
}

// auditDeleted sees that all of the deleted messages are gone, or none; gone for certain if that was acknowledged. Gone
// ones come back with Undelete, so that the ledger's audit finds everything.
func (b *base) auditDeleted(t tester, s mailstore.Store, l *ledger, acknowledged bool) {
	t.Helper()
	list, err := s.Deleted(background, alice, time.Time{})
	if err != nil {
		t.Fatalf("Deleted: %v", err)
	}
	switch n := len(list); {
	case acknowledged && n != len(childDeleted):
		t.Errorf("the update was acknowledged and %d messages are deleted, want %d", n, len(childDeleted))
	case n != 0 && n != len(childDeleted):
		t.Errorf("an update happened by half: %d messages are deleted", n)
	}
	for _, m := range list {
		i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(l.must[alice][m.Info.UID], "base "), "\r\n"))
		if err != nil || !slices.Contains(childDeleted, i) {
			t.Errorf("message %s was deleted and nobody asked for it", m.Info.UID)
		}
	}
	left := len(contents(t, s, alice))
	n, err := s.Undelete(background, alice, time.Time{})
	if err != nil || n != len(list) {
		t.Errorf("Undelete: %d, %v, want %d", n, err, len(list))
	}
	if now := len(contents(t, s, alice)); now != left+n {
		t.Errorf("%d messages and %d that came back make %d", left, n, now)
	}
}

// auditBatch sees that a batch is there whole and in order, or not at all; it may be there more than once.
func auditBatch(t tester, s mailstore.Store) {
	t.Helper()
	at := 0
	batch := childTexts[inBatch:]
	for _, text := range texts(contents(t, s, alice)) {
		if !strings.HasPrefix(text, "batch") {
			continue
		}
		if text != batch[at].text {
			t.Errorf("%.10q of a batch comes where %.10q belongs", text, batch[at].text)
		}
		at = (at + 1) % len(batch)
	}
	if at != 0 {
		t.Errorf("of %d messages of a batch %d are there", len(batch), at)
	}
}
