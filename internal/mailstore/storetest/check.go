package storetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/mailstore"
)

// walkFiles calls fn for the files below dir.
func walkFiles(dir string, fn func(path string, info os.FileInfo)) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			fn(path, info)
		}
		return err
	})
}

// clean checks a store thoroughly and expects no problem but left-over bodies.
func clean(t tester, s mailstore.Store) mailstore.Report {
	t.Helper()
	report, err := s.Check(background, mailstore.CheckOptions{Digests: true})
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	for _, p := range report.Problems {
		if p.Kind != mailstore.ProblemOrphanBody {
			t.Errorf("Check finds %+v", p)
		}
	}
	return report
}

func testCheckClean(t *testing.T, f *fixture) {
	s := f.store(t)
	deliver(t, s, "one", alice)
	deliver(t, s, "two\n\n.\n", alice, bob)
	deliver(t, s, "three", alice)
	remove(t, s, alice, 0)
	calls, last := 0, 0
	report, err := s.Check(t.Context(), mailstore.CheckOptions{Digests: true, Progress: func(done, total int) {
		calls++
		if done < last || done > total {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}})
	if err != nil || len(report.Problems) != 0 || report.Drops != 2 || report.Messages < 3 || report.Octets < 7+10+10 {
		t.Errorf("Check: %+v, %v", report, err)
	}
	if calls == 0 {
		t.Error("no progress was reported")
	}
}

// bodyFile returns the file of the message with this text.
func (f *fixture) bodyFile(t testing.TB, text string) string {
	t.Helper()
	for _, name := range bodyFiles(t, f.bodies) {
		if b, err := os.ReadFile(name); err == nil && string(b) == text {
			return name
		}
	}
	t.Fatalf("no file has the text %q", text)
	return ""
}

// Every kind of damage to bodies is found, what is safe is mended, and the rest is left for a person.
func testCheckDamage(t *testing.T, f *fixture) {
	s := f.store(t)
	missing := deliver(t, s, "missing\r\n", alice)
	deliver(t, s, "whole\r\n", alice)
	short := deliver(t, s, "cut short\r\n", alice)
	flipped := deliver(t, s, "one bit flipped\r\n", alice)
	orphan := f.orphan(t)
	old := f.clock.now().Add(-30 * 24 * time.Hour)
	for _, err := range []error{
		os.Remove(f.bodyFile(t, "missing\r\n")),
		os.Truncate(f.bodyFile(t, "cut short\r\n"), 3),
		os.WriteFile(f.bodyFile(t, "one bit flipped\r\n"), []byte("one bit glipped\r\n"), 0o600),
		os.Chtimes(orphan, old, old),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]mailstore.ProblemKind{
		missing: mailstore.ProblemBodyMissing,
		short:   mailstore.ProblemBodyDamaged,
		"":      mailstore.ProblemOrphanBody,
	}
	expect := func(opt mailstore.CheckOptions, repaired bool) {
		t.Helper()
		report, err := s.Check(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]mailstore.ProblemKind{}
		for _, p := range report.Problems {
			found[p.UID] = p.Kind
			if p.Detail == "" || p.UID != "" && p.Drop != alice {
				t.Errorf("problem %+v", p)
			}
			if mendable := p.Kind == mailstore.ProblemOrphanBody; p.Repaired != (mendable && repaired) {
				t.Errorf("%+v: repaired is %v", opt, p)
			}
		}
		if len(found) != len(want) || len(report.Problems) != len(want) {
			t.Errorf("%+v: found %+v, want %v", opt, report.Problems, want)
		}
		for uid, kind := range want {
			if found[uid] != kind {
				t.Errorf("%+v: message %q has problem %q, want %q", opt, uid, found[uid], kind)
			}
		}
	}
	expect(mailstore.CheckOptions{}, false)
	want[flipped] = mailstore.ProblemBodyDamaged
	expect(mailstore.CheckOptions{Digests: true}, false)
	expect(mailstore.CheckOptions{Digests: true, Repair: true}, true)
	delete(want, "")
	expect(mailstore.CheckOptions{Digests: true}, false)
	d := openDrop(t, s, alice, mailstore.View{})
	defer closeDrop(t, d)
	if d.Len() != 4 {
		t.Errorf("repairing left %d messages, want all 4", d.Len())
	}
}

// A damaged message is an error of its own kind, and does not hinder the others.
func testCorrupt(t *testing.T, f *fixture) {
	s := f.store(t)
	missing := deliver(t, s, "missing\r\n", alice)
	short := deliver(t, s, "cut short\r\n", alice)
	long := deliver(t, s, "grown\r\n", alice)
	deliver(t, s, "whole\r\n", alice)
	for _, err := range []error{
		os.Remove(f.bodyFile(t, "missing\r\n")),
		os.Truncate(f.bodyFile(t, "cut short\r\n"), 3),
		os.WriteFile(f.bodyFile(t, "grown\r\n"), []byte(strings.Repeat("grown\r\n", 2)), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	d := openDrop(t, s, alice, mailstore.View{})
	defer closeDrop(t, d)
	for i, uid := range []string{missing, short, long} {
		b, err := d.Body(t.Context(), i)
		if err == nil {
			b.R.Close()
		}
		corrupt := (*mailstore.CorruptError)(nil)
		if !errors.As(err, &corrupt) || corrupt.UID != uid || corrupt.Drop != alice || errors.Is(err, mailstore.ErrGone) {
			t.Errorf("message %d: error %v, want a CorruptError of %s", i, err, uid)
		}
	}
	if got := readBody(t, d, 3, string(d.AppendUID(nil, 3))); got != "whole\r\n" {
		t.Errorf("the whole one is %q", got)
	}
}
