package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/terminal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(out io.Writer) Options {
	return Options{Once: true, Out: out, Terminal: terminal.New(out, os.Getenv), Command: "postamt", Version: "test"}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Run(t.Context(), options(&out)); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"anna: 18 messages, 7.7 MiB: every octet is the same", "ben: 8 messages, 3.1 KiB: every octet is the same",
		"curl --cacert ", "pop3s://localhost:", "--ssl-reqd pop3://localhost:",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q", want)
		}
	}
	_, after, _ := strings.Cut(out.String(), "--cacert ")
	file, _, _ := strings.Cut(after, " ")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left over: %v", file, err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// A second run in the same folder adds to the first, and checks its own messages. A folder with something else in it is
// not touched.
func TestFolder(t *testing.T) {
	t.Parallel()
	opt := options(io.Discard)
	opt.Dir = filepath.Join(t.TempDir(), "demo")
	for range 2 {
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(opt.Dir, configName)); err != nil {
		t.Error(err)
	}
	opt.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(opt.Dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "neither empty nor the folder of a former demo") {
		t.Errorf("a folder of somebody else: %v", err)
	}
}

// Without Once it serves until it is told to stop, and that is no error.
func TestUntilInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{text: "stays open", do: cancel}
	opt := options(out)
	opt.Once = false
	if err := Run(ctx, opt); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "Closing.") {
		t.Error("does not say that it closes")
	}
}

// A trigger does something when a text is written to it.
type trigger struct {
	bytes.Buffer
	text string
	do   func()
	once sync.Once
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.text) {
		w.once.Do(w.do)
	}
	return n, err
}

// One octet that differs is found.
func TestCompareFindsDifferences(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &show{Options: options(&out)}
	expected := Messages()[:3]
	results := make([]result, len(expected))
	for i, m := range expected {
		results[i] = result{num: i + 1, octets: int64(len(m.Raw)), sum: sha256.Sum256(asKept(m.Raw))}
	}
	if !s.compare(anna, results, expected) {
		t.Errorf("equal ones differ:\n%s", &out)
	}
	changed := bytes.Clone(asKept(expected[1].Raw))
	changed[len(changed)/2] ^= 1
	results[1].sum = sha256.Sum256(changed)
	if s.compare(anna, results, expected) || !strings.Contains(out.String(), "1 differ") {
		t.Errorf("a changed octet is not found:\n%s", &out)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	again := Messages()
	kinds := make(map[string]bool)
	for i, m := range Messages() {
		if !bytes.Equal(m.Raw, again[i].Raw) {
			t.Errorf("%s: differs from call to call", m.Kind)
		}
		if kinds[m.Kind] {
			t.Errorf("%s: there are two", m.Kind)
		}
		kinds[m.Kind] = true
		if n := bytes.Count(m.Raw, []byte("\n")); n != bytes.Count(m.Raw, []byte("\r\n")) {
			t.Errorf("%s: has a bare LF, which cannot come out as it went in", m.Kind)
		}
		if len(m.To) == 0 {
			t.Errorf("%s: goes to nobody", m.Kind)
		}
	}
}
