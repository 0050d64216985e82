package body_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
)

// newDisk returns a store in a new folder, and the folder.
func newDisk(t testing.TB, opt body.Options) (*body.Disk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bodies")
	fsys, err := body.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return body.NewDisk(fsys, opt), dir
}

// store writes a body in pieces and finishes it.
func store(t testing.TB, d body.Store, pieces ...string) (body.ID, body.Facts) {
	t.Helper()
	w, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if n, err := io.WriteString(w, p); err != nil || n != len(p) {
			t.Fatalf("Write of %d octets: %d, %v", len(p), n, err)
		}
	}
	id, facts, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return id, facts
}

// load reads a body whole.
func load(t testing.TB, d body.Store, id body.ID, octets int64) string {
	t.Helper()
	r, size, err := d.Open(t.Context(), id, octets)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != size {
		t.Errorf("Open said %d octets, there are %d", size, len(b))
	}
	return string(b)
}

// files lists the files below dir.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestStoreAndLoad(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	id, facts := store(t, d, "Subject: x\nA: ", "b\r", "\n\r\n.dot\nlast")
	want := "Subject: x\r\nA: b\r\n\r\n.dot\r\nlast\r\n"
	if got := load(t, d, id, facts.Octets); got != want {
		t.Errorf("stored %q, want %q", got, want)
	}
	wantFacts := body.Facts{Octets: int64(len(want)), Header: 20, Wire: false, SHA256: sha256.Sum256([]byte(want))}
	if facts != wantFacts {
		t.Errorf("facts %+v, want %+v", facts, wantFacts)
	}
	r, _, err := d.Open(t.Context(), id, facts.Octets)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(*os.File); !ok {
		t.Errorf("Open gives a %T; only an *os.File can go out with sendfile", r)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t, body.Options{})
	for _, size := range []int{0, 10, 1 << 20} {
		w, err := d.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, strings.Repeat("x", size)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort() // twice does no harm
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("Write after Abort succeeds")
		}
		if _, _, err := w.Finish(); err == nil {
			t.Error("Finish after Abort succeeds")
		}
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestAbortAfterFinishKeepsBody(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	w, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if got := load(t, d, id, 0); got != "" {
		t.Errorf("the empty message has octets: %q", got)
	}
}

func TestMaxOctets(t *testing.T) {
	t.Parallel()
	const limit = 200_000
	for _, tt := range []struct {
		name string
		text string
		ok   bool
	}{
		{"at the limit", strings.Repeat("x", limit-2) + "\r\n", true},
		{"one over", strings.Repeat("x", limit-1) + "\r\n", false},
		{"over with the added line end", strings.Repeat("x", limit), false},
		{"over with added CRs", strings.Repeat("\n", limit/2+1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, dir := newDisk(t, body.Options{MaxOctets: limit})
			w, err := d.Create(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(w, strings.NewReader(tt.text))
			if err == nil {
				_, _, err = w.Finish()
			}
			if tt.ok != (err == nil) || !tt.ok && !errors.Is(err, body.ErrTooLarge) {
				t.Errorf("error %v", err)
			}
			if !tt.ok && len(files(t, dir)) > 0 {
				t.Error("the refused body was left behind")
			}
		})
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d, dir := newDisk(t, body.Options{Now: func() time.Time { return now }})
	first, _ := store(t, d, "one")
	second, _ := store(t, d, "two")
	remove := func(id body.ID) {
		t.Helper()
		if err := d.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	remove(first)
	remove(first) // twice does no harm
	if _, _, err := d.Open(t.Context(), first, 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a removed body: %v", err)
	}
	if got := load(t, d, second, 5); got != "two\r\n" {
		t.Errorf("the other body is %q", got)
	}
	folders := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	remove(second)
	if folders() != 1 {
		t.Error("the folder in use was taken away")
	}
	third, _ := store(t, d, "three")
	now = now.Add(72 * time.Hour)
	remove(third)
	if folders() != 0 {
		t.Error("the old empty folder stays")
	}
	now = now.Add(-72 * time.Hour) // a clock set back: the folder is made again
	fourth, _ := store(t, d, "four")
	if got := load(t, d, fourth, 6); got != "four\r\n" {
		t.Errorf("got %q", got)
	}
}

// A folder whose last file went when it was young does not stay for ever.
func TestWalkRemovesEmptyFolders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d, dir := newDisk(t, body.Options{Now: func() time.Time { return now }})
	var ids []body.ID
	for range 3 {
		id, _ := store(t, d, "x")
		ids = append(ids, id)
		now = now.Add(time.Hour)
	}
	for _, id := range ids[:2] {
		if err := d.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		later   time.Duration
		folders int // in all
	}{
		{24 * time.Hour, 4},
		{72 * time.Hour, 2}, // that with a file, and the one it is in
		{30 * 24 * time.Hour, 2},
	} {
		now = now.Add(tt.later)
		bodies := 0
		if err := d.Walk(t.Context(), func(body.Entry) error { bodies++; return nil }); err != nil || bodies != 1 {
			t.Errorf("after %v: %d bodies, %v", tt.later, bodies, err)
		}
		if n := foldersIn(t, dir); n != tt.folders {
			t.Errorf("after %v: %d folders, want %d", tt.later, n, tt.folders)
		}
	}
	for _, name := range files(t, dir) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Walk(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if n := foldersIn(t, dir); n != 0 {
		t.Errorf("%d folders are left of nothing", n)
	}
}

func foldersIn(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n - 1
}

func TestWalk(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	d, dir := newDisk(t, body.Options{Now: func() time.Time { return now }})
	want := map[body.ID]int64{}
	for i := range 1200 { // more than ReadDir holds at a time
		id, facts := store(t, d, strings.Repeat("x", i%7))
		want[id] = facts.Octets
		if i%400 == 0 {
			now = now.Add(24 * time.Hour)
		}
	}
	// What is not a body in its place is left out.
	inner := filepath.Dir(files(t, dir)[0])
	for _, name := range []string{
		filepath.Join(dir, "README"), filepath.Join(inner, "x"), filepath.Join(inner, strings.Repeat("0", 26)),
		filepath.Join(inner, strings.Repeat("G", 26)), files(t, dir)[0] + "000000",
	} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "00000", "zz"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "00001")); err != nil {
		t.Fatal(err)
	}
	got := map[body.ID]int64{}
	err := d.Walk(t.Context(), func(e body.Entry) error {
		if time.Since(e.Modified).Abs() > time.Hour {
			t.Errorf("%s was modified %v", e.ID, e.Modified)
		}
		if _, twice := got[e.ID]; twice {
			t.Errorf("%s comes twice", e.ID)
		}
		got[e.ID] = e.Octets
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d bodies, want %d", len(got), len(want))
	}
	for id, octets := range want {
		if got[id] != octets {
			t.Errorf("%s has %d octets, want %d", id, got[id], octets)
		}
	}
	stop := errors.New("enough")
	if err := d.Walk(t.Context(), func(body.Entry) error { return stop }); err != stop {
		t.Errorf("Walk returns %v, want the error of fn", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Walk(ctx, func(body.Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Walk with a cancelled context returns %v", err)
	}
	// A walk that removes what it finds ends, and leaves nothing.
	if err := d.Walk(t.Context(), func(e body.Entry) error { return d.Remove(t.Context(), e.ID) }); err != nil {
		t.Fatal(err)
	}
	if err := d.Walk(t.Context(), func(e body.Entry) error { t.Errorf("%s is left", e.ID); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesSymlink(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t, body.Options{})
	id, _ := store(t, d, "x")
	name := files(t, dir)[0]
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, name); err != nil {
		t.Fatal(err)
	}
	if r, _, err := d.Open(t.Context(), id, 3); err == nil {
		r.Close()
		t.Error("Open follows a symbolic link")
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if r, _, err := d.Open(t.Context(), id, 3); err == nil {
		r.Close()
		t.Error("Open opens a folder")
	}
}

func TestDirMakesPrivateFolders(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t, body.Options{})
	store(t, d, "x")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := body.Dir(filepath.Join(dir, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := body.Dir(file); err == nil {
		t.Error("a file passes for a folder")
	}
}
