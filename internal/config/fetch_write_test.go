package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newSection(name string) string {
	return FetchText([]string{"Found by autoconfig."}, []FetchKey{
		{Key: "name", Value: name},
		{Key: "url", Value: "pop3s://bob@pop.example.net"},
		{Key: "password", Value: "env:X", Note: "not here"},
		{Key: "to", Value: []string{"store:bob", "maildir:/m"}},
		{Key: "keep", Value: true, Off: true},
	})
}

func TestFetchText(t *testing.T) {
	t.Parallel()
	want := `# Found by autoconfig.
[[fetch]]
name = "isp"
url = "pop3s://bob@pop.example.net"
password = "env:X" # not here
to = ["store:bob", "maildir:/m"]
# keep = true
`
	if diff := cmp.Diff(want, newSection("isp")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// What a server says cannot end a comment or a text.
	text := FetchText([]string{"a\nname = \"evil\"", ""}, []FetchKey{{Key: "name", Value: "x\"\nkeep = true", Note: "b\r\nkeep = true"}})
	if want := "# a?name = \"evil\"\n#\n[[fetch]]\nname = \"x\\\"\\u000Akeep = true\" # b??keep = true\n"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func plan(t *testing.T, path, section string) *FetchAddition {
	t.Helper()
	a, err := PlanFetch(path, section)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What was in the file stays there octet by octet; mode and link, too.
func TestAddFetch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, diff string }{
		"a usual file":                  {"data = \"/d\"\n", "@@ -1,0 +2,8 @@\n+\n+# Found"},
		"with comments":                 {"# mine  \n\n\tdata = '/d' # there\n\n[pop3]\nlisten = [\n  # none\n]\n", "@@ -8,0 +9,8 @@\n+\n+# Found"},
		"without a last end":            {"data = \"/d\"\n[log]\nlevel = \"info\"", "@@ -3 +3,9 @@\n-level = \"info\"\n\\ No newline at end of file\n+level = \"info\"\n+\n+# Found"},
		"CRLF":                          {"data = \"/d\"\r\n[log]\r\n", "@@ -2,0 +3,8 @@\n+\n+# Found"},
		"another account":               {"[[fetch]]\nname = \"a\"\nurl = \"pop3s://a@b.example\"\npassword = \"env:A\"\nto = [\"store:a\"]\n", "@@ -5,0 +6,8 @@\n+\n+# Found"},
		"empty":                         {"", "@@ -0,0 +1,7 @@\n+# Found"},
		"a comment at the end, cut off": {"# x", "@@ -1 +1,9 @@\n-# x\n\\ No newline at end of file\n+# x\n+\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, link := filepath.Join(dir, "real.toml"), filepath.Join(dir, "postamt.toml")
			if err := errors.Join(os.WriteFile(path, []byte(tt.old), 0o640), os.Symlink("real.toml", link)); err != nil {
				t.Fatal(err)
			}
			a := plan(t, link, newSection("isp"))
			if !strings.Contains(a.Diff(), "--- "+path+"\n+++ "+path+"\n"+tt.diff) {
				t.Errorf("diff:\n%s", a.Diff())
			}
			if got, _ := os.ReadFile(path); string(got) != tt.old {
				t.Fatal("the file was written by PlanFetch")
			}
			if err := a.Write(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(got), tt.old) {
				t.Fatalf("%q, %v", got, err)
			}
			if strings.Contains(tt.old, "\r\n") != strings.Contains(string(got[len(tt.old):]), "\r\n") {
				t.Errorf("line ends are mixed: %q", got)
			}
			l, err := Load(link)
			if err != nil || l.Fetch[len(l.Fetch)-1].Name != "isp" || l.Fetch[len(l.Fetch)-1].Keep {
				t.Errorf("%+v, %v", l, err)
			}
			fi, err := os.Stat(path)
			if err != nil || fi.Mode() != 0o640 {
				t.Errorf("mode %v, %v", fi.Mode(), err)
			}
			if to, err := os.Readlink(link); err != nil || to != "real.toml" {
				t.Errorf("the link is gone: %v", err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
				t.Errorf("something was left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestAddFetchToNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "postamt.toml")
	a := plan(t, path, newSection("isp"))
	if !a.New || !strings.HasPrefix(a.Diff(), "--- /dev/null\n+++ "+path+"\n@@ -0,0 +1,7 @@\n+# Found") {
		t.Errorf("%+v\n%s", a, a.Diff())
	}
	if err := a.Write(); err != nil {
		t.Fatal(err)
	}
	if l, err := Load(path); err != nil || len(l.Fetch) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if err := a.Write(); err == nil || !strings.Contains(err.Error(), "has appeared in the meantime") {
		t.Errorf("the file was written over: %v", err)
	}
}

func TestAddFetchRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, section, want string }{
		"a name that is taken":      {"[[fetch]]\nname = \"ISP\"\nurl = \"pop3s://a@b.example\"\npassword = \"env:A\"\nto = [\"store:a\"]\n", newSection("isp"), `9: fetch[1].name: "isp" is taken already`},
		"a file that is wrong":      {"nonsense = 1\n", newSection("isp"), "1: nonsense: unknown key"},
		"a file that is no TOML":    {"data = \n", newSection("isp"), "1: data: is not TOML"},
		"accounts in a list":        {"fetch = [{ name = \"a\", url = \"pop3s://a@b.example\", password = \"env:A\", to = [\"store:a\"] }]\n", newSection("isp"), "is not TOML"},
		"a section that is wrong":   {"", FetchText(nil, []FetchKey{{Key: "name", Value: "isp"}}), "fetch[0]: has no url"},
		"a section that adds more":  {"", newSection("isp") + newSection("isp2"), "would not have one account more"},
		"a section that adds other": {"", newSection("isp") + "[log]\nlevel = \"debug\"\n", "would change in other places"},
		"an authority without file": {"", newSection("isp") + "ca = \"missing.pem\"\n", "missing.pem does not exist"},
		"a text that runs on":       {"data = \"/d\"\n[log]\nlevel = \"\"\"info", newSection("isp"), "is not TOML"},
		"a file that is too long":   {strings.Repeat("#\n", maxFile/2-10), newSection("isp"), "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "postamt.toml")
			if err := os.WriteFile(path, []byte(tt.old), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := PlanFetch(path, tt.section)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"link": "is a link to nowhere", "no/such.toml": "is in a folder that does not exist", ".": "is not a regular file"} {
		if _, err := PlanFetch(filepath.Join(dir, path), newSection("isp")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// Whoever changes the file in the meantime keeps the change, and two who write at once do not mix.
func TestAddFetchMeantime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "postamt.toml")
	if err := os.WriteFile(path, []byte("# a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := plan(t, path, newSection("one")), plan(t, path, newSection("two"))
	lock, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := first.Write(); err == nil || !strings.Contains(err.Error(), "another postamt") {
		t.Errorf("written without the lock: %v", err)
	}
	if err := errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), first.Write()); err != nil {
		t.Fatal(err)
	}
	if err := second.Write(); err == nil || !strings.Contains(err.Error(), "has been changed in the meantime") {
		t.Errorf("the first one's change is lost: %v", err)
	}
	if l, err := Load(path); err != nil || len(l.Fetch) != 1 || l.Fetch[0].Name != "one" {
		t.Errorf("%+v, %v", l, err)
	}
	gone := plan(t, path, newSection("three"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := gone.Write(); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a file that was removed came back: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// Any file that loads loads with a section more, and begins with what it was.
func TestAddFetchKeepsTheRest(t *testing.T) {
	t.Parallel()
	lines := []string{"# comment", "", "  ", "hostname = \"a.example\"", "[log]", "level = \"debug\"", "[pop3]", "listen = []", "[collector]", "parallel = 3"}
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		old := strings.Join(rapid.SliceOf(rapid.SampledFrom(lines)).Draw(t, "lines"), end)
		if rapid.Bool().Draw(t, "ended") && old != "" {
			old += end
		}
		if _, err := Parse("x", []byte(old)); err != nil {
			t.Skip("does not load")
		}
		text := appendSection([]byte(old), newSection("isp"))
		l, err := Parse("x", text)
		if err != nil || len(l.Fetch) != 1 || !strings.HasPrefix(string(text), old) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
