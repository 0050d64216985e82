package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A program that is not there keeps nobody from starting, but the check says so, with line and mend.
func TestProgramsThatAreNotThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postamt.toml")
	const text = `[[fetch]]
name = "isp"
url = "pop3s://bob@pop.example.net"
password = "env:X"
to = ["pipe:/bin/sh -c true",
  "pipe:/no/such/procmail -d bob"]
filter = "no-such-filter -x"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Problem{
		{path, 6, "fetch[0].to[1]", "there is no program /no/such/procmail: install it, or mend its path; until then mail stays on the server"},
		{path, 7, "fetch[0].filter", "there is no program no-such-filter in PATH: install it, or write its whole path; until then mail stays on the server"},
	}
	if d := cmp.Diff(want, l.Warnings); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
