package body_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/faultfs"
)

type finished struct {
	text string
	id   body.ID
	err  error
}

// fileOf returns what the bodies in one file have in common.
func fileOf(id body.ID) body.ID {
	file, _ := id.Range()
	return file
}

// finish stores a body.
func finish(d body.Store, text string) (body.ID, error) {
	w, err := d.Create(context.Background())
	if err != nil {
		return body.ID{}, err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, text); err != nil {
		return body.ID{}, err
	}
	id, _, err := w.Finish()
	return id, err
}

// finishTogether stores text one, and all others while that is being made durable. It must be called in a bubble.
func finishTogether(t *testing.T, fsys body.FS, texts ...string) []finished {
	t.Helper()
	g := faultfs.NewGate(fsys)
	d := body.NewDisk(g, body.Options{})
	list := make([]finished, len(texts))
	var wg sync.WaitGroup
	for i, text := range texts {
		wg.Go(func() {
			list[i].text = text
			list[i].id, list[i].err = finish(d, text)
		})
		synctest.Wait()
	}
	close(g.Open)
	wg.Wait()
	return list
}

func dirFS(t *testing.T) (body.FS, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bodies")
	fsys, err := body.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fsys, dir
}

// wantAll reads every body in both ways.
func wantAll(t *testing.T, d body.Store, list []finished) {
	t.Helper()
	ids := map[body.ID]bool{}
	for i, f := range list {
		if f.err == nil && ids[f.id] {
			t.Errorf("body %d is %v, as another one is", i, f.id)
		}
		ids[f.id] = true
		if f.err != nil {
			t.Errorf("body %d: %v", i, f.err)
			continue
		}
		octets := int64(len(f.text))
		if got := load(t, d, f.id, octets); got != f.text {
			t.Errorf("body %d: Open gives %d octets, want %d", i, len(got), octets)
		}
		if octets >= body.MaxLoad {
			continue
		}
		l, err := d.Load(t.Context(), f.id, octets)
		if err != nil {
			t.Errorf("body %d: %v", i, err)
			continue
		}
		if got, err := io.ReadAll(l); err != nil || string(got) != f.text {
			t.Errorf("body %d: Load gives %d octets, %v, want %d", i, len(got), err, octets)
		}
		_ = l.Close()
	}
}

// Small bodies that come while another one is being made durable share a file; large and empty ones never do.
func TestBundle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, dir := dirFS(t)
		list := finishTogether(t, fsys, "alone\r\n", "one\r\n", "", "Subject: three\r\n\r\n.\r\n", strings.Repeat("x", body.MaxLoad-3)+"\r\n",
			strings.Repeat("y", body.MaxLoad)+"\r\n", "six\r\n")
		wantAll(t, body.NewDisk(fsys, body.Options{}), list)
		if n := len(files(t, dir)); n != 4 {
			t.Errorf("%d files, want one for the first, the empty one and the large one each, and one for the rest", n)
		}
		for i, f := range list {
			if wantBundled := i != 0 && i != 2 && i != 5; f.id.Bundled() != wantBundled || wantBundled && fileOf(f.id) != fileOf(list[1].id) {
				t.Errorf("body %d is %v, bundled %v, in %v", i, f.id, f.id.Bundled(), fileOf(f.id))
			}
		}
	})
}

// A bundle has 64 bodies at most, even of the largest that are bundled.
func TestBundleBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const octets = body.MaxLoad - 1
		fsys, _ := dirFS(t)
		var texts []string
		for i := range 1 + 64 + 64 + 2 {
			texts = append(texts, fmt.Sprintf("%*d\r\n", octets-2, i))
		}
		list := finishTogether(t, fsys, texts...)
		d := body.NewDisk(fsys, body.Options{})
		wantAll(t, d, list)
		sizes := map[body.ID]int64{}
		if err := d.Walk(t.Context(), func(e body.Entry) error { sizes[e.ID] = e.Octets / octets; return nil }); err != nil {
			t.Fatal(err)
		}
		var bodies []int64
		for _, f := range list {
			if n := sizes[fileOf(f.id)]; n > 0 {
				bodies = append(bodies, n)
				delete(sizes, fileOf(f.id))
			}
		}
		if want := []int64{1, 64, 64, 2}; !slices.Equal(bodies, want) {
			t.Errorf("files of %v bodies, want %v", bodies, want)
		}
	})
}

// A tightFS has no room for a file of more than so many octets, and counts the files that were begun.
type tightFS struct {
	body.FS
	room  int
	err   error
	begun atomic.Int32
}

func (t *tightFS) OpenFile(name string, flag int, perm fs.FileMode) (body.File, error) {
	f, err := t.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	t.begun.Add(1)
	return &tightFile{f, t.room, t.err}, nil
}

type tightFile struct {
	body.File
	room int
	err  error
}

func (f *tightFile) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, f.err
	}
	f.room -= len(p)
	return f.File.Write(p)
}

// One body that finds no room does not take with it those that it would have shared a file with.
func TestBundleFails(t *testing.T) {
	t.Parallel()
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		t.Run(full.Error(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fsys, dir := dirFS(t)
				list := finishTogether(t, &tightFS{FS: fsys, room: 100, err: full}, "first\r\n", "small\r\n",
					strings.Repeat("x", 200)+"\r\n", "", "another\r\n")
				if err := list[2].err; !errors.Is(err, full) {
					t.Errorf("the large one: %v", err)
				}
				list = append(list[:2], list[3:]...)
				wantAll(t, body.NewDisk(fsys, body.Options{}), list)
				if n := len(files(t, dir)); n != len(list) {
					t.Errorf("%d files are left of %d bodies", n, len(list))
				}
			})
		})
	}
}

// On a disk that fails, which may take half a minute each time, those in a bundle do not wait for each of the others.
func TestBundleOnBadDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, dir := dirFS(t)
		texts := []string{"alone\r\n"}
		for i := range 64 {
			texts = append(texts, fmt.Sprintf("%*d\r\n", 200, i))
		}
		bad := &tightFS{FS: fsys, room: 100, err: syscall.EIO}
		list := finishTogether(t, bad, texts...)
		for i, f := range list[1:] {
			if !errors.Is(f.err, syscall.EIO) {
				t.Errorf("body %d: %v", i+1, f.err)
			}
		}
		if n := bad.begun.Load(); n != 3 {
			t.Errorf("%d files were begun, want that of the first, the bundle's, and one more", n)
		}
		wantAll(t, body.NewDisk(fsys, body.Options{}), list[:1])
		if n := len(files(t, dir)); n != 1 {
			t.Errorf("%d files are left, want that of the first", n)
		}
	})
}

// canPunch reports whether the room of a part of a file can be given back here.
func canPunch(t *testing.T) bool {
	t.Helper()
	fsys, dir := dirFS(t)
	name := filepath.Join(dir, "punched")
	if err := errors.Join(os.WriteFile(name, []byte("1"), 0o600), fsys.Punch("punched", 0, 1)); err != nil {
		t.Fatal(err)
	}
	octets, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return octets[0] == 0
}

// The room of a body in a bundle is given back, and the others stay.
func TestRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, dir := dirFS(t)
		texts := []string{"alone\r\n"}
		for i := range 4 {
			texts = append(texts, strings.Repeat(fmt.Sprint(i), 60_000)+"\r\n")
		}
		texts = append(texts, "")
		list := finishTogether(t, fsys, texts...)
		d := body.NewDisk(fsys, body.Options{})
		release := func(i int) {
			t.Helper()
			if err := d.Release(t.Context(), list[i].id, int64(len(list[i].text))); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range []int{0, 2, 2, 5} { // twice does no harm
			release(i)
		}
		wantAll(t, d, []finished{list[1], list[3], list[4]})
		gone := []int{0}
		if canPunch(t) {
			gone = []int{0, 2}
		}
		for _, i := range gone {
			if _, err := d.Load(t.Context(), list[i].id, int64(len(list[i].text))); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("body %d can still be loaded: %v", i, err)
			}
			if _, _, err := d.Open(t.Context(), list[i].id, int64(len(list[i].text))); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("body %d can still be opened: %v", i, err)
			}
		}
		if left := files(t, dir); len(left) != 1 {
			t.Errorf("files %q, want the bundle alone", left)
		}
		if err := d.Remove(t.Context(), list[1].id); err != nil {
			t.Fatal(err)
		}
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("Remove left %q", left)
		}
		release(3) // of a file that is gone
	})
}

// Whoever reads a body while its room is given back, or that of the ones beside it, gets all of it or is told that it is gone.
func TestReleaseWhileReading(t *testing.T) {
	t.Parallel()
	fsys, _ := dirFS(t)
	var list []finished
	synctest.Test(t, func(t *testing.T) {
		texts := []string{"alone\r\n"}
		for i := range 40 {
			texts = append(texts, strings.Repeat(fmt.Sprintf("%d ", i), 1+500*i)+"\r\n")
		}
		list = finishTogether(t, fsys, texts...)
	})
	d := body.NewDisk(fsys, body.Options{})
	var wg sync.WaitGroup
	released := make(chan struct{})
	for i, f := range list[1:] {
		wg.Go(func() {
			for last := false; !last; {
				select {
				case <-released:
					last = true
				default:
				}
				l, err := d.Load(context.Background(), f.id, int64(len(f.text)))
				if errors.Is(err, fs.ErrNotExist) && i%2 == 0 {
					return
				}
				if err != nil {
					t.Errorf("body %d: %v", i, err)
					return
				}
				if got, err := io.ReadAll(l); err != nil || string(got) != f.text {
					t.Errorf("body %d is not what it was: %v", i, err)
					return
				}
				_ = l.Close()
			}
		})
	}
	for i, f := range list[1:] {
		if i%2 == 0 {
			if err := d.Release(t.Context(), f.id, int64(len(f.text))); err != nil {
				t.Error(err)
			}
		}
	}
	close(released)
	wg.Wait()
}

// A disk that fails while room is given back does no harm, and it can be done again.
func TestReleaseFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, err := faultfs.New(filepath.Join(t.TempDir(), "bodies"))
		if err != nil {
			t.Fatal(err)
		}
		list := finishTogether(t, fsys, "alone\r\n", "one\r\n", "two\r\n", "three\r\n")
		d := body.NewDisk(fsys, body.Options{})
		for at := range 2 { // the last octet, and the whole
			fsys.Set(faultfs.Plan{At: at + 1, Err: syscall.EIO})
			if err := d.Release(t.Context(), list[2].id, 5); !errors.Is(err, syscall.EIO) {
				t.Errorf("failed at %d: %v", at+1, err)
			}
			// Once its end is gone nobody takes what is there for the whole.
			if _, err := d.Load(t.Context(), list[2].id, 5); canPunch(t) && errors.Is(err, fs.ErrNotExist) != (at == 1) {
				t.Errorf("failed at %d: Load: %v", at+1, err)
			}
			wantAll(t, d, []finished{list[0], list[1], list[3]})
		}
		fsys.Set(faultfs.Plan{})
		if err := d.Release(t.Context(), list[2].id, 5); err != nil {
			t.Error(err)
		}
		wantAll(t, d, []finished{list[0], list[1], list[3]})
		for _, octets := range []int64{-1, 0, body.MaxLoad} {
			if err := d.Release(t.Context(), list[1].id, octets); !errors.Is(err, body.ErrSize) {
				t.Errorf("Release of %d octets: %v", octets, err)
			}
			if _, _, err := d.Open(t.Context(), list[1].id, octets); !errors.Is(err, body.ErrSize) {
				t.Errorf("Open of %d octets: %v", octets, err)
			}
		}
		wantAll(t, d, []finished{list[0], list[1], list[3]})
	})
}

// Whoever stores a bundle may end in a panic that its caller survives: the others hear of it, and the next can be stored.
func TestBundleLeaderPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, _ := dirFS(t)
		g := faultfs.NewGate(fsys)
		broken := true
		d := body.NewDisk(g, body.Options{Now: func() time.Time {
			if broken {
				panic("clock")
			}
			return time.Now()
		}})
		broken = false
		var wg sync.WaitGroup
		var errs [3]error
		for i, text := range []string{"alone\r\n", "leader\r\n", "member\r\n"} {
			wg.Go(func() {
				defer func() { _ = recover() }()
				_, errs[i] = finish(d, text)
			})
			synctest.Wait()
		}
		broken = true // for the bundle
		close(g.Open)
		wg.Wait()
		if errs[0] != nil || errs[2] == nil {
			t.Errorf("alone: %v, member: %v", errs[0], errs[2])
		}
		broken = false
		if _, err := finish(d, "next\r\n"); err != nil {
			t.Error(err)
		}
	})
}

// A size that is not that of the body is noticed: what is read ends in another line, or another body.
func TestBundleWrongSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, _ := dirFS(t)
		list := finishTogether(t, fsys, "alone\r\n", "one\r\n", "two\r\n", "three\r\n")
		d := body.NewDisk(fsys, body.Options{})
		for _, octets := range []int64{1, 3, 4, 6, 9} {
			if _, err := d.Load(t.Context(), list[1].id, octets); !errors.Is(err, body.ErrSize) {
				t.Errorf("Load of %d octets instead of 5: %v", octets, err)
			}
			if _, _, err := d.Open(t.Context(), list[1].id, octets); !errors.Is(err, body.ErrSize) {
				t.Errorf("Open of %d octets instead of 5: %v", octets, err)
			}
		}
		wantAll(t, d, list)
	})
}

// A bundle that was cut, or grew, is noticed.
func TestBundleDamaged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fsys, dir := dirFS(t)
		list := finishTogether(t, fsys, "alone\r\n", "one\r\n", "two\r\n", "three\r\n")
		d := body.NewDisk(fsys, body.Options{})
		for _, name := range files(t, dir) {
			if strings.Contains(name, fileOf(list[1].id).String()[:26]) {
				if err := os.Truncate(name, 12); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantAll(t, d, list[:3])
		if _, err := d.Load(t.Context(), list[3].id, 7); !errors.Is(err, body.ErrSize) {
			t.Errorf("half a body is loaded: %v", err)
		}
		if r, size, err := d.Open(t.Context(), list[3].id, 7); err != nil || size != 2 {
			t.Errorf("Open gives %d octets, %v, want the 2 that are left", size, err)
		} else {
			_ = r.Close()
		}
	})
}

// Many at once, with whatever bundles that makes.
func TestBundlesOfMany(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t, body.Options{})
	const workers, each = 16, 25
	all := make([][]finished, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range each {
				text := strings.Repeat(fmt.Sprintf("%d.%d ", i, j), random.IntN(3000)) + "\r\n"
				f := finished{text: text}
				f.id, f.err = finish(d, text)
				all[i] = append(all[i], f)
			}
		})
	}
	wg.Wait()
	seen := map[body.ID]bool{}
	for _, list := range all {
		wantAll(t, d, list)
		for _, f := range list {
			if seen[f.id] {
				t.Errorf("two bodies are %v", f.id)
			}
			seen[f.id] = true
		}
	}
	t.Logf("%d bodies in %d files", workers*each, len(files(t, dir)))
}

// Stop the machine at every operation while bodies share files: those that were acknowledged are there, whole.
func TestBundleKilledAtEveryOperation(t *testing.T) {
	t.Parallel()
	texts := []string{"first\r\n", "second\r\n", "", strings.Repeat("0123456789abcdef\r\n", 3000), "fifth\r\n"}
	for at, killed := 1, true; killed; at++ {
		for i, loss := range append(faultfs.Losses, faultfs.LoseSome, faultfs.LoseSome) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "bodies")
				fsys, err := faultfs.New(dir)
				if err != nil {
					t.Fatal(err)
				}
				fsys.Set(faultfs.Plan{At: at, Kill: true})
				list := finishTogether(t, fsys, texts...)
				killed = fsys.Failed()
				if err := fsys.Crash(loss, uint64(i)); err != nil {
					t.Fatal(err)
				}
				var acknowledged []finished
				for _, f := range list {
					if f.err == nil {
						acknowledged = append(acknowledged, f)
					} else if !errors.Is(f.err, faultfs.ErrKilled) {
						t.Errorf("killed at %d: %v", at, f.err)
					}
				}
				again, err := body.Dir(dir)
				if err != nil {
					t.Fatal(err)
				}
				d := body.NewDisk(again, body.Options{})
				wantAll(t, d, acknowledged)
				if err := d.Walk(t.Context(), func(e body.Entry) error { return d.Remove(t.Context(), e.ID) }); err != nil {
					t.Fatal(err)
				}
				if left := files(t, dir); len(left) > 0 {
					t.Errorf("killed at %d, %v: Walk did not find %q", at, loss, left)
				}
			})
		}
		if at == 100 {
			t.Fatal("there is no end")
		}
	}
}
