package mailfile_test

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/mailfile"
)

// A tester is what roundTrip needs of a test.
type tester interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// both fails as rapid does and has the test's context.
type both struct {
	*rapid.T
	t *testing.T
}

func (b both) Context() context.Context { return b.t.Context() }

func readText(r io.ReadCloser) (string, error) {
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// keys returns the key of each message of a source.
func keys(t *testing.T, format mailfile.Format, path string) []string {
	t.Helper()
	s, err := mailfile.Open(format, path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var k mailfile.Keyer
	var list []string
	for m, err := range s.Messages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		key, facts, err := k.Key(m)
		if err != nil {
			t.Fatal(err)
		}
		if facts.Octets == 0 || len(key) > 200 {
			t.Errorf("key %q, facts %+v", key, facts)
		}
		list = append(list, key)
	}
	return list
}

// Keys tell equal messages of a source apart, and are the same wherever and however the messages lie.
func TestKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"mbox":            fromA + "S: x\n\nFrom:\n>From y\n\n" + fromA + "z\n\n" + fromB + "S: x\n\nFrom:\n>From y\n\n",
		"more.mbox":       fromA + "S: x\n\nFrom:\n>From y\n\n" + fromA + "z\n\n" + fromB + "S: x\n\nFrom:\n>From y\n\n" + fromB + "new\n\n",
		"maildir/new/1.a": "S: x\r\n\r\nFrom:\r\nFrom y\r\n", "maildir/cur/2.b": "z", "maildir/new/3.c": "S: x\n\nFrom:\nFrom y",
	})
	got := keys(t, mailfile.Mbox, filepath.Join(dir, "mbox"))
	if len(got) != 3 || got[0] == got[1] || got[0] == got[2] || strings.TrimSuffix(got[0], ":0") != strings.TrimSuffix(got[2], ":1") {
		t.Fatalf("keys %q", got)
	}
	if again := keys(t, mailfile.Maildir, filepath.Join(dir, "maildir")); !slices.Equal(again, got) {
		t.Errorf("the Maildir's keys are %q, the mbox's %q", again, got)
	}
	if more := keys(t, mailfile.Mbox, filepath.Join(dir, "more.mbox")); len(more) != 4 || !slices.Equal(more[:3], got) || slices.Contains(got, more[3]) {
		t.Errorf("with one more: %q, before: %q", more, got)
	}
}
