package body_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs"
)

// Messages of a few writes; the second is larger than a block.
var faultTexts = []string{"A: b\n\nc\n", "A: b\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 8000), ""}

// deliver stores the messages and returns the ids of those that were acknowledged.
func deliver(d body.Store) (ids []body.ID, err error) {
	for _, text := range faultTexts {
		w, err := d.Create(context.Background())
		if err != nil {
			return ids, err
		}
		if _, err := io.WriteString(w, text); err != nil {
			w.Abort()
			return ids, err
		}
		id, _, err := w.Finish()
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// faultDisk returns a store whose first message opens a new folder, and one in between too.
func faultDisk(fsys body.FS) *body.Disk {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return body.NewDisk(fsys, body.Options{Now: func() time.Time { now = now.Add(9 * time.Minute); return now }})
}

// countOps returns how many operations deliver has.
func countOps(t *testing.T) int {
	t.Helper()
	fsys, err := faultfs.New(filepath.Join(t.TempDir(), "dry"))
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := deliver(faultDisk(fsys)); err != nil || len(ids) != len(faultTexts) {
		t.Fatal(ids, err)
	}
	ops := fsys.Ops()
	if len(ops) < 20 {
		t.Fatalf("only %d operations, this test would prove little: %v", len(ops), ops)
	}
	return len(ops)
}

// Stop the machine at every operation of a delivery: what was acknowledged is there, whole.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Parallel()
	for at := range countOps(t) + 1 {
		for i, loss := range append(faultfs.Losses, faultfs.LoseSome, faultfs.LoseSome) {
			dir := filepath.Join(t.TempDir(), fmt.Sprint(at, "-", i))
			fsys, err := faultfs.New(dir)
			if err != nil {
				t.Fatal(err)
			}
			fsys.Set(faultfs.Plan{At: at + 1, Kill: true})
			ids, err := deliver(faultDisk(fsys))
			if err != nil && !errors.Is(err, faultfs.ErrKilled) {
				t.Fatalf("killed at %d: %v", at+1, err)
			}
			if err := fsys.Crash(loss, uint64(i)); err != nil {
				t.Fatal(err)
			}
			again, err := body.Dir(dir)
			if err != nil {
				t.Fatal(err)
			}
			d := body.NewDisk(again, body.Options{})
			for j, id := range ids {
				want, _ := naive(faultTexts[j])
				if got := load(t, d, id, int64(len(want))); got != want {
					t.Errorf("killed at %d, %v: message %d has %d octets, want %d", at+1, loss, j, len(got), len(want))
				}
			}
			// Whatever else is there can be found and removed, so that nothing stays for ever.
			if err := d.Walk(t.Context(), func(e body.Entry) error { return d.Remove(t.Context(), e.ID) }); err != nil {
				t.Fatal(err)
			}
			if left := files(t, dir); len(left) > 0 {
				t.Errorf("killed at %d, %v: Walk did not find %q", at+1, loss, left)
			}
		}
	}
}

// Fail every operation of a delivery, with every error: it says so with the errno, nothing stays behind that is not
// acknowledged, and afterwards the same store works.
func TestFailedAtEveryOperation(t *testing.T) {
	t.Parallel()
	ops := countOps(t)
	for _, plan := range []faultfs.Plan{
		{Err: syscall.ENOSPC},
		{Err: syscall.ENOSPC, Short: true},
		{Err: syscall.ENOSPC, Stay: true},
		{Err: syscall.EDQUOT},
		{Err: syscall.EROFS},
		{Err: syscall.EIO},
	} {
		t.Run(fmt.Sprintf("%v short=%v stay=%v", plan.Err, plan.Short, plan.Stay), func(t *testing.T) {
			t.Parallel()
			for at := range ops {
				dir := filepath.Join(t.TempDir(), "bodies")
				fsys, err := faultfs.New(dir)
				if err != nil {
					t.Fatal(err)
				}
				plan.At = at + 1
				fsys.Set(plan)
				d := faultDisk(fsys)
				ids, err := deliver(d)
				if fsys.Failed() != (err != nil) {
					t.Errorf("at %d: error %v, operations %v", plan.At, err, fsys.Ops())
				}
				if err != nil && !errors.Is(err, plan.Err) {
					t.Errorf("at %d: error %v does not wrap the cause", plan.At, err)
				}
				// Unless it could not be removed on a disk that stays broken, nothing is left of what was not acknowledged.
				if n := len(files(t, dir)); n > len(ids) && !(plan.Stay || errors.Is(plan.Err, syscall.EROFS)) {
					t.Errorf("at %d: %d files for %d bodies", plan.At, n, len(ids))
				}
				fsys.Set(faultfs.Plan{})
				more, err := deliver(d)
				if err != nil {
					t.Fatalf("at %d: the disk is well again, the store is not: %v", plan.At, err)
				}
				if err := fsys.Crash(faultfs.LoseUnsynced, 0); err != nil {
					t.Fatal(err)
				}
				again, err := body.Dir(dir)
				if err != nil {
					t.Fatal(err)
				}
				for i, id := range append(more, ids...) {
					want, _ := naive(faultTexts[i%len(faultTexts)])
					if got := load(t, body.NewDisk(again, body.Options{}), id, int64(len(want))); got != want {
						t.Errorf("at %d: message %d has %d octets, want %d", plan.At, i, len(got), len(want))
					}
				}
			}
		})
	}
}

func TestReadErrorsAreTyped(t *testing.T) {
	t.Parallel()
	fsys, err := faultfs.New(filepath.Join(t.TempDir(), "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	d := body.NewDisk(fsys, body.Options{})
	id, facts := store(t, d, "x")
	for _, use := range []struct {
		name string
		do   func() error
		ops  int
	}{
		{"Open", func() error { r, _, err := d.Open(t.Context(), id, facts.Octets); return closeIf(r, err) }, 2},
		{"Load", func() error { l, err := d.Load(t.Context(), id, facts.Octets); return closeIf(l, err) }, 2},
		{"Walk", func() error { return d.Walk(t.Context(), func(body.Entry) error { return nil }) }, 3},
		{"Remove", func() error { return d.Remove(t.Context(), id) }, 1},
	} {
		for at := range use.ops {
			fsys.Set(faultfs.Plan{At: at + 1, Err: syscall.EIO})
			err := use.do()
			if pathErr := (*fs.PathError)(nil); !errors.Is(err, syscall.EIO) || !errors.As(err, &pathErr) {
				t.Errorf("%s at %d: %v", use.name, at+1, err)
			}
		}
	}
}

func closeIf(c io.Closer, err error) error {
	if err == nil {
		return c.Close()
	}
	return err
}
