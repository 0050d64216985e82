package mailfile_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/mailfile"
)

// A found message, or an error in its place.
type found struct {
	File     string
	Ordinal  int
	Sender   string
	Received string // 2006-01-02T15:04:05
	Text     string
	Damage   string // the DamageError's detail
}

// readAll reads a source whole.
func readAll(t testing.TB, format mailfile.Format, path string) []found {
	t.Helper()
	s, err := mailfile.Open(format, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first := pass(t, s)
	if again := pass(t, s); !slices.Equal(again, first) {
		t.Errorf("the second pass finds %+v, the first found %+v", again, first)
	}
	return first
}

func pass(t testing.TB, s *mailfile.Source) []found {
	t.Helper()
	var all []found
	var octets int64
	for m, err := range s.Messages(context.Background()) {
		damage := (*mailfile.DamageError)(nil)
		if errors.As(err, &damage) {
			all = append(all, found{File: damage.File, Ordinal: damage.Ordinal, Damage: damage.Detail})
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		octets += m.Octets
		f := found{File: m.File, Ordinal: m.Ordinal, Sender: m.Sender, Text: text(t, m)}
		if again := text(t, m); again != f.Text {
			t.Errorf("opened again, %s is %q instead of %q", m.File, again, f.Text)
		}
		if !m.Received.IsZero() {
			f.Received = m.Received.Format("2006-01-02T15:04:05")
		}
		all = append(all, f)
	}
	if octets > s.Octets() {
		t.Errorf("the messages have %d octets in all, the source %d", octets, s.Octets())
	}
	return all
}

func text(t testing.TB, m mailfile.Message) string {
	t.Helper()
	r, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// write writes files below dir.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	fromA = "From a@example.com Sun Nov 22 12:34:56 2026\n"
	fromB = "From b@example.com Mon Nov 23 01:02:03 2026\n"
)

func TestReadMbox(t *testing.T) {
	t.Parallel()
	a := func(ordinal int, text string) found {
		return found{"in.mbox", ordinal, "a@example.com", "2026-11-22T12:34:56", text, ""}
	}
	b := func(ordinal int, text string) found {
		return found{"in.mbox", ordinal, "b@example.com", "2026-11-23T01:02:03", text, ""}
	}
	long := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		name, in string
		want     []found
	}{
		{"empty file", "", nil},
		{"only empty lines", "\n\n\n", nil},
		{"one", fromA + "S: x\n\nhi\n\n", []found{a(1, "S: x\n\nhi\n")}},
		{"two", fromA + "S: x\n\nhi\n\n" + fromB + "S: y\n\nho\n\n", []found{a(1, "S: x\n\nhi\n"), b(2, "S: y\n\nho\n")}},
		{"CRLF", strings.ReplaceAll(fromA+"S: x\n\nhi\n\n"+fromB+"y\n", "\n", "\r\n"), []found{a(1, "S: x\r\n\r\nhi\r\n"), b(2, "y\r\n")}},
		{"no empty line at the end", fromA + "S: x\n\nhi\n", []found{a(1, "S: x\n\nhi\n")}},
		{"no line end at the end", fromA + "S: x\n\nhi", []found{a(1, "S: x\n\nhi")}},
		{"empty message", fromA + "\n" + fromB + "\n", []found{a(1, ""), b(2, "")}},
		{"nothing after the From line", fromA, []found{a(1, "")}},
		{"From line cut off", fromA + "x\n\n" + strings.TrimSpace(fromB), []found{a(1, "x\n"), b(2, "")}},
		{"empty lines kept but one", fromA + "x\n\n\n\n" + fromB + "y\n\n\n", []found{a(1, "x\n\n\n"), b(2, "y\n\n")}},
		{"mboxrd", fromA + "\n>From me\n>>From you\n> From\n>Fromage\n", []found{a(1, "\nFrom me\n>From you\n> From\n>Fromage\n")}},
		{"From inside a paragraph", fromA + "x\nFrom here on\n" + fromB + "y\n", []found{a(1, "x\nFrom here on\n"+fromB+"y\n")}},
		{"From after an empty line, no date", fromA + "x\n\nFrom here on\n\n", []found{a(1, "x\n\nFrom here on\n")}},
		{"long line", fromA + long + "\n\n" + fromB + ">" + long + "\n", []found{a(1, long+"\n"), b(2, ">"+long+"\n")}},
		{"too long a From line", fromA + "x\n\nFrom " + long + " Nov 12:34:56\ny\n", []found{a(1, "x\n\nFrom "+long+" Nov 12:34:56\ny\n")}},
		{
			"junk first", "junk\n\nmore\n\n" + fromA + "x\n",
			[]found{{File: "in.mbox", Damage: "10 octets are left out, because they do not follow a line that begins with \"From \""}, a(1, "x\n")},
		},
		{
			"no mbox at all", "Subject: x\n\nhi\n",
			[]found{{File: "in.mbox", Damage: "14 octets are left out, because they do not follow a line that begins with \"From \""}},
		},
		{"NUL and 8 bit", fromA + "\x00\xff\n\n", []found{a(1, "\x00\xff\n")}},
		{
			"mboxcl2", fromA + "Content-Length: 48\n\n" + "x\n\n" + fromB + "\n\n" + fromB + "Content-Length: 2\n\ny\n\n",
			[]found{a(1, "Content-Length: 48\n\nx\n\n"+fromB+"\n"), b(2, "Content-Length: 2\n\ny\n")},
		},
		{
			"Content-Length that ends nowhere", fromA + "Content-Length: 9\n\nx\n\n" + fromB + "y\n",
			[]found{a(1, "Content-Length: 9\n\nx\n"), b(2, "y\n")},
		},
		{
			"Content-Length beyond the file", fromA + "Content-Length: 9999999\n\nx\n\n" + fromB + "y\n",
			[]found{a(1, "Content-Length: 9999999\n\nx\n"), b(2, "y\n")},
		},
		{ // The first message has none, so the second cannot make itself longer with one.
			"Content-Length to swallow the next", fromA + "x\n\n" + fromB + "Content-Length: 49\n\nx\n\n" + fromA + "z\n\n" + fromB + "y\n",
			[]found{a(1, "x\n"), b(2, "Content-Length: 49\n\nx\n"), a(3, "z\n"), b(4, "y\n")},
		},
		{
			"mboxcl", fromA + "Content-Length: 12\n\nx\n\n>From me\n\n" + fromB + "Content-Length: 2\n\ny\n\n",
			[]found{a(1, "Content-Length: 12\n\nx\n\nFrom me\n"), b(2, "Content-Length: 2\n\ny\n")},
		},
		{
			"no sender, with Return-Path", "From - Sun Nov 22 12:34:56 2026\nreturn-path:\n <c@example.com>\nX: y\n\nhi\n",
			[]found{{"in.mbox", 1, "c@example.com", "2026-11-22T12:34:56", "return-path:\n <c@example.com>\nX: y\n\nhi\n", ""}},
		},
		{
			"no date, with Received", "From a@example.com\nReceived: by x;\n\tSun, 22 Nov 2026 12:34:56 +0000\nDate: Sat, 1 Jan 2000 00:00:00 +0000\n\nhi\n",
			[]found{a(1, "Received: by x;\n\tSun, 22 Nov 2026 12:34:56 +0000\nDate: Sat, 1 Jan 2000 00:00:00 +0000\n\nhi\n")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"in.mbox": tt.in})
			if diff := cmp.Diff(tt.want, readAll(t, mailfile.Mbox, filepath.Join(dir, "in.mbox"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// From lines as programs write them.
func TestFromLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, sender, received string }{
		{"From a@example.com Sun Nov  2 12:34:56 2025", "a@example.com", "2025-11-02T12:34:56"},
		{"From a@example.com  Sun Nov 22 12:34:56 2026", "a@example.com", "2026-11-22T12:34:56"},
		{"From MAILER-DAEMON Sun Nov 22 12:34:56 2026", "", "2026-11-22T12:34:56"},
		{"From - Sun Nov 22 12:34:56 2026", "", "2026-11-22T12:34:56"},
		{"From ???@??? Sun Nov 22 12:34:56 2026", "???@???", "2026-11-22T12:34:56"},
		{"From 1234567890@xxx Sun Nov 22 12:34:56 +0200 2026", "1234567890@xxx", "2026-11-22T10:34:56"},
		{"From a@example.com Sun Nov 22 12:34:56 2026 -0100", "a@example.com", "2026-11-22T13:34:56"},
		{"From a@example.com Sun Nov 22 12:34 2026", "a@example.com", "2026-11-22T12:34:00"},
		{"From a@example.com Sun, 22 Nov 2026 12:34:56 +0000", "a@example.com", "2026-11-22T12:34:56"},
		{"From a@example.com Sun Nov 22 12:34:56 2026 remote from uucp", "a@example.com", ""},
		{"From <a@example.com> Sun Nov 22 12:34:56 2026", "a@example.com", "2026-11-22T12:34:56"},
		{"From " + strings.Repeat("a", 330) + "@example.com Sun Nov 22 12:34:56 2026", "", "2026-11-22T12:34:56"},
		{"From a\x01@example.com Sun Nov 22 12:34:56 2026", "", "2026-11-22T12:34:56"},
		{"From a@example.com Sun Nov 22 12:34:56 1926", "a@example.com", ""},
	} {
		dir := t.TempDir()
		// Behind another message, where it must be recognised, and not only believed.
		write(t, dir, map[string]string{"m": fromA + "x\n\n" + tt.line + "\ny\n"})
		got := readAll(t, mailfile.Mbox, filepath.Join(dir, "m"))
		if len(got) != 2 || got[1].Sender != tt.sender || got[1].Received != tt.received {
			t.Errorf("%q gives %+v, want %q, %q", tt.line, got, tt.sender, tt.received)
		}
	}
}

func TestReadMaildir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"cur/1700000200.M1P2.host,S=999999,W=1:2,RS": "Return-Path: <a@example.com>\nSubject: 2\n\nx\n",
		"new/1700000100.M1P1.host":                   "Subject: 1\r\n\r\n>From me\r\n",
		"new/1700000300.M1P3.host":                   "",
		"cur/without-a-time":                         "Received: from x; Mon, 1 Jan 2001 00:00:00 +0100\n\n",
		"tmp/1700000400.M1P4.host":                   "half",
		"new/.hidden":                                "x",
		".Sent/cur/1700000500.M1P5.host:2,S":         "sent",
		"dovecot-uidlist":                            "x",
	})
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, filepath.Dir(secret), map[string]string{"secret": "secret"})
	for _, err := range []error{
		os.Symlink(secret, filepath.Join(dir, "new/1700000600.link.host")),
		syscall.Mkfifo(filepath.Join(dir, "new/1700000700.fifo.host"), 0o600),
		os.Mkdir(filepath.Join(dir, "new/1700000800.folder.host"), 0o700),
		os.Chtimes(filepath.Join(dir, "new/1700000300.M1P3.host"), time.Unix(1, 0), time.Unix(1, 0)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	damaged := func(name string) found { return found{File: name, Damage: "it cannot be read"} }
	want := []found{
		{"cur/without-a-time", 1, "", "2000-12-31T23:00:00", "Received: from x; Mon, 1 Jan 2001 00:00:00 +0100\n\n", ""},
		{"new/1700000100.M1P1.host", 1, "", "2023-11-14T22:15:00", "Subject: 1\r\n\r\n>From me\r\n", ""},
		{
			"cur/1700000200.M1P2.host,S=999999,W=1:2,RS", 1, "a@example.com", "2023-11-14T22:16:40",
			"Return-Path: <a@example.com>\nSubject: 2\n\nx\n", "",
		},
		{"new/1700000300.M1P3.host", 1, "", "2023-11-14T22:18:20", "", ""},
		damaged("new/1700000600.link.host"),
		damaged("new/1700000700.fifo.host"),
		damaged("new/1700000800.folder.host"),
	}
	if diff := cmp.Diff(want, readAll(t, mailfile.Maildir, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestReadEML(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.eml": "Date: Sun, 22 Nov 2026 12:34:56 +0000\n\nb\n", "a.EML": "Date: x\n\na\n", "sub/c.eml": "c", "note.txt": "no",
	})
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := errors.Join(os.Chtimes(filepath.Join(dir, "a.EML"), at, at), os.Chtimes(filepath.Join(dir, "sub/c.eml"), at, at)); err != nil {
		t.Fatal(err)
	}
	a := found{"a.EML", 1, "", "2020-01-02T03:04:05", "Date: x\n\na\n", ""}
	b := found{"b.eml", 1, "", "2026-11-22T12:34:56", "Date: Sun, 22 Nov 2026 12:34:56 +0000\n\nb\n", ""}
	c := found{"sub/c.eml", 1, "", "2020-01-02T03:04:05", "c", ""}
	if diff := cmp.Diff([]found{a, b, c}, readAll(t, mailfile.EML, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]found{b}, readAll(t, mailfile.EML, filepath.Join(dir, "b.eml"))); diff != "" {
		t.Error(diff)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "b.eml"), link); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]found{b}, readAll(t, mailfile.EML, link)); diff != "" {
		t.Error(diff)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	pipes := filepath.Join(dir, "pipes")
	for _, err := range []error{
		syscall.Mkfifo(fifo, 0o600), os.Mkdir(pipes, 0o700), syscall.Mkfifo(filepath.Join(pipes, "cur"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		format mailfile.Format
		path   string
	}{
		{mailfile.Mbox, filepath.Join(dir, "missing")},
		{mailfile.Mbox, dir},
		{mailfile.Mbox, fifo},
		{mailfile.Maildir, filepath.Join(dir, "missing")},
		{mailfile.Maildir, dir},
		{mailfile.Maildir, fifo},
		{mailfile.EML, filepath.Join(dir, "missing")},
		{mailfile.EML, fifo},
		{mailfile.Maildir, pipes},
		{mailfile.EML, "/dev/null"},
		{"mh", dir},
		{"", dir},
	} {
		if s, err := mailfile.Open(tt.format, tt.path); err == nil {
			t.Errorf("%s of %s can be opened", tt.format, tt.path)
			s.Close()
		} else if !strings.Contains(err.Error(), "mailfile: ") {
			t.Errorf("%s of %s: %v", tt.format, tt.path, err)
		}
	}
}

// One damaged message does not hinder the others, a cancelled context does.
func TestMessagesEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"new/1.a": "x", "new/2.b": "y", "new/3.c": "z"})
	s, err := mailfile.Open(mailfile.Maildir, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Remove(filepath.Join(dir, "new/2.b")); err != nil {
		t.Fatal(err)
	}
	if got := pass(t, s); len(got) != 3 || got[0].Text != "x" || got[1].Damage == "" || got[2].Text != "z" {
		t.Errorf("found %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for _, err := range s.Messages(ctx) {
		errs = append(errs, err)
		cancel()
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], context.Canceled) {
		t.Errorf("after the context ended: %v", errs)
	}
	for range s.Messages(t.Context()) {
		break // leaving early does no harm
	}
}

// A file may tell any time. One that mail cannot have come in at is none: the store would refuse the message.
func TestTimesThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"mbox":                       "From a@example.com Fri Dec 31 23:59:59 9999\nDate: Sun, 22 Nov 2026 12:34:56 +0000\n\nx\n\nFrom a@example.com Sat Jan  1 00:00:00 2201\n\nx\n",
		"maildir/cur/7300000000.a.x": "Subject: 2201\n\n",
		"maildir/cur/7200000000.b.x": "Subject: 2198\n\n",
		"eml/header.eml":             "Received: from x; Fri, 31 Dec 9999 23:59:59 +0000\n\n",
		"eml/first.eml":              "Date: Mon, 1 Jan 0001 00:00:00 +0000\n\n",
	})
	for _, name := range []string{"eml/header.eml", "eml/first.eml"} {
		at := time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for path, format := range map[string]mailfile.Format{"mbox": mailfile.Mbox, "maildir": mailfile.Maildir, "eml": mailfile.EML} {
		found := readAll(t, format, filepath.Join(dir, path))
		if len(found) != 2 {
			t.Errorf("%s: %d messages", path, len(found))
		}
		for _, f := range found {
			if f.Received > "2200" && f.Received != "2198-02-27T08:00:00" || f.Received != "" && f.Received < "2026" {
				t.Errorf("%s: received %s", path, f.Received)
			}
		}
	}
}
