package mailfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/mailfile"
)

var received = time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)

func outgoing(uid, text string) mailfile.Outgoing {
	return mailfile.Outgoing{
		UID: uid, Received: received, Sender: "a@example.com",
		Body: strings.NewReader(text), Size: int64(len(text)),
	}
}

// export writes messages, which must succeed, and returns how many were new.
func export(t testing.TB, format mailfile.Format, path string, opt mailfile.WriterOptions, messages ...mailfile.Outgoing) int {
	t.Helper()
	w, err := mailfile.Create(format, path, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	n := 0
	for _, m := range messages {
		written, err := w.Write(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if written {
			n++
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// names lists the files below dir.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWriteMbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.mbox")
	null := outgoing("u3", "")
	null.Sender = ""
	odd := outgoing("u4", "x\r\n")
	odd.Sender = "two words@example.com\nFrom x"
	export(t, mailfile.Mbox, path, mailfile.WriterOptions{},
		outgoing("u1", "S: x\r\n\r\nFrom me\r\n>From you\r\n> From\r\nFromage\r\n.\r\n"),
		outgoing("u2", "From first\r\na\rb\r\r\n"), null, odd)
	want := fromA + "S: x\n\n>From me\n>>From you\n> From\nFromage\n.\n\n" +
		fromA + ">From first\na\rb\r\r\n\n" +
		"From MAILER-DAEMON Sun Nov 22 12:34:56 2026\n\n" +
		"From MAILER-DAEMON Sun Nov 22 12:34:56 2026\nx\n\n"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := mailfile.Create(mailfile.Mbox, path, mailfile.WriterOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing over an mbox: %v", err)
	}
	crlf := filepath.Join(dir, "crlf.mbox")
	export(t, mailfile.Mbox, crlf, mailfile.WriterOptions{KeepCRLF: true}, outgoing("u1", "From\r\n\r\nFrom x\r\n"))
	if got, err := os.ReadFile(crlf); err != nil || string(got) != strings.TrimSpace(fromA)+"\r\nFrom\r\n\r\n>From x\r\n\r\n" {
		t.Errorf("with CRLF: %q, %v", got, err)
	}
	if list := names(t, dir); len(list) != 2 {
		t.Errorf("left behind: %q", list)
	}
}

func TestWriteMaildir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	messages := func() []mailfile.Outgoing {
		return []mailfile.Outgoing{outgoing("u1", "S: x\r\n\r\nFrom me\r\n"), outgoing("../a/b:2,S~", "y\r\r\n\rz\r\n")}
	}
	if n := export(t, mailfile.Maildir, dir, mailfile.WriterOptions{}, messages()...); n != 2 {
		t.Errorf("%d messages are new, want 2", n)
	}
	want := []string{
		"new/1795350896.=2E=2E=2Fa=2Fb=3A2=2CS=7E.postamt,S=7,W=8",
		"new/1795350896.u1.postamt,S=14,W=17",
	}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	found := readAll(t, mailfile.Maildir, dir)
	if len(found) != 2 || found[0].Text != "y\r\r\n\rz\n" || found[1].Text != "S: x\n\nFrom me\n" || found[1].Received != "2026-11-22T12:34:56" {
		t.Errorf("found %+v", found)
	}
	if info, err := os.Stat(filepath.Join(dir, want[1])); err != nil || info.Mode().Perm() != 0o600 || !info.ModTime().Equal(received) {
		t.Errorf("%v, %v", info, err)
	}

	// Again: nothing comes twice, also after a mail reader moved and flagged it.
	if err := os.Rename(filepath.Join(dir, want[1]), filepath.Join(dir, "cur/1795350896.u1.postamt,S=14,W=17:2,RS")); err != nil {
		t.Fatal(err)
	}
	if n := export(t, mailfile.Maildir, dir, mailfile.WriterOptions{}, append(messages(), outgoing("u2", "z\r\n"), outgoing("u2", "z\r\n"))...); n != 1 {
		t.Errorf("%d messages are new, want 1", n)
	}
	if list := names(t, dir); len(list) != 3 {
		t.Errorf("there are %q", list)
	}
	crlf := filepath.Join(t.TempDir(), "crlf")
	export(t, mailfile.Maildir, crlf, mailfile.WriterOptions{KeepCRLF: true}, messages()...)
	if found := readAll(t, mailfile.Maildir, crlf); len(found) != 2 || found[1].Text != "S: x\r\n\r\nFrom me\r\n" {
		t.Errorf("with CRLF: %+v", found)
	}
}

// A message that cannot be read leaves no trace, and the next ones follow.
func TestWriteDamaged(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, format := range []mailfile.Format{mailfile.Mbox, mailfile.Maildir} {
		dir := t.TempDir()
		path := filepath.Join(dir, "out")
		w, err := mailfile.Create(format, path, mailfile.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		bad := outgoing("bad", strings.Repeat("x", 200_000))
		bad.Body = iotest.TimeoutReader(iotest.OneByteReader(bad.Body))
		short := outgoing("short", "x\r\n")
		short.Size = 4
		unreadable := outgoing("unreadable", "")
		unreadable.Body = iotest.ErrReader(broken)
		for _, tt := range []struct {
			m  mailfile.Outgoing
			ok bool
		}{
			{outgoing("u1", "one\r\n"), true},
			{bad, false},
			{short, false},
			{unreadable, false},
			{outgoing("", "x"), false},
			{outgoing("with space", "x"), false},
			{outgoing("line\nend", "x"), false},
			{outgoing(strings.Repeat("u", 71), "x"), false},
			{outgoing(strings.Repeat("~", 70), "two\r\n"), true}, // the longest name
		} {
			if written, err := w.Write(t.Context(), tt.m); written != tt.ok || (err == nil) != tt.ok {
				t.Errorf("%s: message %.20s: %v, %v", format, tt.m.UID, written, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(t.Context(), outgoing("u9", "")); err == nil {
			t.Errorf("%s: Write after Close succeeds", format)
		}
		var texts []string
		for _, f := range readAll(t, format, path) {
			texts = append(texts, f.Text)
		}
		slices.Sort(texts)
		if !slices.Equal(texts, []string{"one\n", "two\n"}) {
			t.Errorf("%s: found %q", format, texts)
		}
		for _, name := range names(t, dir) {
			if strings.Contains(name, "tmp") || strings.Contains(name, "partial") {
				t.Errorf("%s: left behind: %s", format, name)
			}
		}
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := mailfile.Create(mailfile.Mbox, filepath.Join(dir, "out"), mailfile.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(t.Context(), outgoing("u1", "x\r\n")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if err := w.Close(); err == nil {
		t.Error("Close after Abort succeeds")
	}
	if list := names(t, dir); len(list) != 0 {
		t.Errorf("left behind: %q", list)
	}
	for _, format := range []mailfile.Format{mailfile.EML, "mh"} {
		if _, err := mailfile.Create(format, filepath.Join(dir, "x"), mailfile.WriterOptions{}); err == nil {
			t.Errorf("%q can be written", format)
		}
	}
	if _, err := mailfile.Create(mailfile.Maildir, filepath.Join(dir, "no", "parent"), mailfile.WriterOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

// Files of a Maildir get their names together. Those that have none yet when it is given up, or cannot have it, are gone, and
// the latter is final.
func TestMaildirWaits(t *testing.T) {
	t.Parallel()
	const together = 64
	write := func(dir string, from, to int) (mailfile.Writer, error) {
		w, err := mailfile.Create(mailfile.Maildir, dir, mailfile.WriterOptions{})
		for i := from; i < to && err == nil; i++ {
			_, err = w.Write(t.Context(), outgoing(fmt.Sprint("u", i), "x\r\n"))
		}
		return w, err
	}
	in := func(dir, sub string) int { return len(names(t, filepath.Join(dir, sub))) }

	dir := filepath.Join(t.TempDir(), "given up")
	w, err := write(dir, 0, together+5)
	if err != nil {
		t.Fatal(err)
	}
	if in(dir, "new") != together || in(dir, "tmp") != 5 {
		t.Errorf("%d files in new, %d in tmp, want %d and 5", in(dir, "new"), in(dir, "tmp"), together)
	}
	w.Abort()
	if in(dir, "new") != together || in(dir, "tmp") != 0 {
		t.Errorf("after Abort %d files in new, %d in tmp", in(dir, "new"), in(dir, "tmp"))
	}
	if w, err = write(dir, 0, together+5); err != nil || w.Close() != nil || in(dir, "new") != together+5 {
		t.Errorf("again: %d files in new, %v", in(dir, "new"), err)
	}

	dir = filepath.Join(t.TempDir(), "no new")
	if w, err = write(dir, 0, together-1); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := w.Write(t.Context(), outgoing("last", "x\r\n"))
		if _, final := errors.AsType[*mailfile.FinalError](err); !final || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("nothing can be moved to new: %v", err)
		}
	}
	if err := w.Close(); err == nil {
		t.Error("Close says that all is well")
	}
	if n := in(dir, "tmp"); n != 0 {
		t.Errorf("%d files are left in tmp", n)
	}
}

// stored brings a text into the form of stored bodies.
func stored(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(rest, "\r")
		}
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// What was written comes back with the same octets, whatever is in it.
func roundTrip(t tester, dir string, texts []string, opt mailfile.WriterOptions) {
	for _, format := range []mailfile.Format{mailfile.Mbox, mailfile.Maildir} {
		path := filepath.Join(dir, string(format))
		w, err := mailfile.Create(format, path, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for i, text := range texts {
			m := outgoing(string(rune('a'+i)), text)
			m.Received = received.Add(time.Duration(i) * time.Second)
			if _, err := w.Write(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := mailfile.Open(format, path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var got []string
		for m, err := range s.Messages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			r, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := readText(r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, stored(text))
		}
		if !slices.Equal(got, texts) {
			t.Fatalf("%s %+v: wrote %q, read %q", format, opt, texts, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	line := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", "From ", "From x Sun Nov 22 12:34:56 2026", ">From x", ">>From ", ">", "\r", "\r\r", ".", "Fro", "\x00",
			strings.Repeat(">", 70_000) + "From x",
			strings.Repeat("x", 65_535) + "\r", strings.Repeat("x", 65_534) + "\r\r", strings.Repeat("\r", 65_536),
		}),
		rapid.StringOfN(rapid.RuneFrom([]rune("From >\r\x00:")), 0, 12, -1),
	)
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
			return stored(strings.Join(rapid.SliceOfN(line, 0, 5).Draw(rt, "lines"), "\r\n"))
		}), 0, 4).Draw(rt, "texts")
		roundTrip(both{rt, t}, t.TempDir(), texts, mailfile.WriterOptions{KeepCRLF: rapid.Bool().Draw(rt, "CRLF")})
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("From x\r\n\r\n>From y\r\n", "\r\r\n", false)
	f.Add("", "\n\n", true)
	f.Fuzz(func(t *testing.T, a, b string, crlf bool) {
		if lower := strings.ToLower(a + b); strings.Contains(lower, "content-length") {
			t.Skip("a Content-Length that happens to end where a message ends is believed: mbox is ambiguous there")
		}
		roundTrip(t, t.TempDir(), []string{stored(a), stored(b)}, mailfile.WriterOptions{KeepCRLF: crlf})
	})
}

// Any file can be read as an mbox: every pass finds the same, and nothing twice.
func FuzzReadMbox(f *testing.F) {
	f.Add(fromA + "Content-Length: 2\n\nx\n\n" + fromB + "\n")
	f.Add("junk\n\n" + fromA + ">From \n")
	f.Fuzz(func(t *testing.T, in string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"m": in})
		readAll(t, mailfile.Mbox, filepath.Join(dir, "m"))
	})
}
