package body_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/body"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	for _, text := range []string{"", "Subject: x\r\n\r\n.\r\n", strings.Repeat("x", body.MaxLoad-3) + "\r\n"} {
		id, facts := store(t, d, text)
		l, err := d.Load(t.Context(), id, facts.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(l); err != nil || string(got) != text {
			t.Errorf("a body of %d octets came as one of %d, %v", len(text), len(got), err)
		}
		for range 2 {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if n, err := l.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("after Close it still gives %d octets, %v", n, err)
		}
		for _, wrong := range []int64{facts.Octets - 1, facts.Octets + 1, -1, body.MaxLoad} {
			if _, err := d.Load(t.Context(), id, wrong); !errors.Is(err, body.ErrSize) {
				t.Errorf("a body of %d octets, wanted with %d: %v", facts.Octets, wrong, err)
			}
		}
	}
}

// TestLoadRefuses: the same things as Open.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t, body.Options{})
	id, facts := store(t, d, "x")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := d.Load(stopped, id, facts.Octets); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	name := files(t, dir)[0]
	if err := os.Rename(name, name+".real"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(t.Context(), id, facts.Octets); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a body that is not there: %v", err)
	}
	if err := os.Symlink(name+".real", name); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(t.Context(), id, facts.Octets); err == nil {
		t.Error("Load follows a symbolic link")
	}
	if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(t.Context(), id, facts.Octets); err == nil {
		t.Error("Load reads a folder")
	}
}

// TestLoadAllocations: the path and its copies, and the Loaded.
func TestLoadAllocations(t *testing.T) {
	d, _ := newDisk(t, body.Options{})
	id, facts := store(t, d, "Subject: x\r\n\r\nhello\r\n")
	if n := testing.AllocsPerRun(100, func() {
		l, err := d.Load(context.Background(), id, facts.Octets)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}); n > 4 {
		t.Errorf("Load allocates %v times", n)
	}
}
