package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A configuration file that was found is the one that a reload reads: when it is gone, that is an error, and nothing else
// is taken over in its place. Not parallel: it changes the current folder.
func TestReloadReadsTheSameFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("POSTAMT_CONFIG", "")
	path := filepath.Join(dir, "postamt.toml")
	if err := os.WriteFile(path, []byte("hostname = \"first.example\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := new(app)
	first, err := a.read()
	if err != nil || first.Hostname != "first.example" || first.Path != path {
		t.Fatalf("first: %+v, %v", first, err)
	}
	t.Chdir(t.TempDir()) // "./postamt.toml" is another one now
	if again, err := a.read(); err != nil || again.Path != path {
		t.Errorf("again: %+v, %v", again, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.read(); err == nil || !strings.Contains(err.Error(), path+": does not exist") {
		t.Errorf("when the file is gone: %v", err)
	}
}
