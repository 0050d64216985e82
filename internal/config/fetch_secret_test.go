package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteSecret(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	path := filepath.Join(dir, "isp.password")
	if err := WriteSecret(path, "open sesame"); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, path: 0o600} {
		if fi, err := os.Stat(p); err != nil || fi.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", p, fi.Mode(), err, want)
		}
	}
	err := WriteSecret(path, "another")
	if text, _ := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), "exists already") || string(text) != "open sesame\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := WriteSecret(filepath.Join(dir, "no", "such", "x"), "secret-word"); err == nil || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("%v", err)
	}
	if err := WriteSecret(filepath.Join(path, "x"), "secret-word"); err == nil || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("%v", err)
	}
}
