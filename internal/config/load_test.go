package config

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configure.md")

func TestConfigureDocIsFresh(t *testing.T) {
	t.Parallel()
	const path = "../../docs/configure.md"
	want := `<!-- Made from internal/config/config.go by "go generate ./internal/config". Do not edit. -->` + "\n\n" + DocMarkdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf(`docs/configure.md is stale, run "go generate ./internal/config" (-file +want)`+"\n%s", diff)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	for _, s := range sections() {
		if s.name != "" && s.text == "" {
			t.Errorf("section [%s] has no text", s.name)
		}
		for _, k := range s.keys {
			if k.text == "" || k.name == "" {
				t.Errorf("%s.%s has no text", s.name, k.name)
			}
		}
	}
}

func TestDefaultIsGood(t *testing.T) {
	t.Parallel()
	c := Default()
	if wrong, unwise := c.Check(); len(wrong)+len(unwise) > 0 {
		t.Errorf("the defaults have problems: %v %v", wrong, unwise)
	}
}

// The commented file, uncommented, is the default.
func TestDocTOML(t *testing.T) {
	t.Parallel()
	doc := DocTOML()
	check := func(text string) {
		t.Helper()
		l, err := Parse("doc.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Default(), l.Config); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	check(doc)
	doc, _, _ = strings.Cut(doc, "\n# A pair of PEM files") // an example, not a default
	var on strings.Builder
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		on.WriteString(line)
	}
	if !strings.Contains(on.String(), "\nidle_timeout = \"10m\"") {
		t.Errorf("not uncommented:\n%s", on.String())
	}
	check(strings.ReplaceAll(on.String(), "certificates = []\n", ""))
}

func TestExampleFileIsGood(t *testing.T) {
	t.Parallel()
	for _, text := range []string{exampleFile, exampleFetch} {
		l, err := Parse("example.toml", []byte(text))
		if err != nil || len(l.Warnings) > 0 {
			t.Errorf("%v %v", err, l.Warnings)
		}
	}
}

// Programs see the keys and notations of the file.
func TestJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"idle_timeout":"10m"`, `"max_message":"50MiB"`, `"listen_tls":["127.0.0.1:1995"]`, `"sign_in":{`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func TestShowMarksWhatDiffers(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Hostname = `quote " backslash \`
	c.POP3.Listen = []string{":110"}
	c.Store.UndeleteWindow = 0
	c.TLS.Certificates = []Certificate{{Cert: "/a", Key: "/b"}}
	var b strings.Builder
	if err := c.Show(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nlisten = [\":110\"] # default: [\"127.0.0.1:1110\"]\n",
		"\nlisten_tls = [\"127.0.0.1:1995\"]\n",
		"\nundelete_window = \"0\" # default: \"14d\"\n",
		"\nhostname = \"quote \\\" backslash \\\\\" # default: ",
		"\ncertificates = [{ cert = \"/a\", key = \"/b\" }] # default: []\n",
		"\n[limits]\nconnections = 10000\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestSearchOrder(t *testing.T) {
	t.Chdir(t.TempDir()) // so not parallel
	etc := filepath.Join(t.TempDir(), "etc.toml")
	named := filepath.Join(t.TempDir(), "env.toml")
	given := filepath.Join(t.TempDir(), "given.toml")
	env := map[string]string{"HOME": "/home/u"}
	h := host{
		getenv:   func(k string) string { return env[k] },
		uid:      os.Geteuid(),
		hostname: func() (string, error) { return "box", nil },
		etc:      etc,
	}
	// The files are added in reverse order; each new one wins over those before.
	for _, step := range []struct{ path, arg, env string }{
		{path: etc},
		{path: "postamt.toml"},
		{path: named, env: named},
		{path: given, env: named, arg: given},
	} {
		name := strings.ReplaceAll(filepath.Base(step.path), "_", "-")
		write(t, step.path, `hostname = "`+name+`"`)
		env["POSTAMT_CONFIG"] = step.env
		l, err := h.load(step.arg)
		if err != nil {
			t.Fatal(err)
		}
		if l.Hostname != name || !filepath.IsAbs(l.Path) || filepath.Base(l.Path) != filepath.Base(step.path) {
			t.Errorf("with %s there, %s was read: %s", step.path, l.Path, l.Hostname)
		}
	}

	env["POSTAMT_CONFIG"] = "/nowhere/postamt.toml"
	_, err := h.load("")
	if want := "/nowhere/postamt.toml: does not exist, create it or correct the path"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	env["POSTAMT_CONFIG"] = ""
	h.uid = os.Geteuid() + 1
	if os.Geteuid() != 0 { // a file of root is anybody's to use
		_, err = h.load("")
		if want := "postamt.toml: belongs to another user, so it is not taken by itself: name it with --config if you trust it"; text(err) != want {
			t.Errorf("got %q, want %q", text(err), want)
		}
	}
}

func TestForeignFileInCurrentFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	t.Chdir(t.TempDir()) // so not parallel
	write(t, "postamt.toml", "")
	if err := os.Chown("postamt.toml", 1000, 1000); err != nil {
		t.Fatal(err)
	}
	h := machine()
	h.getenv = func(string) string { return "" }
	_, err := h.load("")
	if want := "postamt.toml: belongs to another user, so it is not taken by itself: name it with --config if you trust it"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	if _, err := h.load("postamt.toml"); err != nil {
		t.Errorf("named, it is refused: %v", err)
	}
	write(t, "mine.toml", "")
	if err := errors.Join(os.Remove("postamt.toml"), os.Symlink("mine.toml", "postamt.toml"), os.Lchown("postamt.toml", 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.load(""); err == nil {
		t.Error("another user's link is followed")
	}
}

func TestDataFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, data string
		env        map[string]string
		uid        int
		want, err  string
	}{
		{name: "set", data: "/srv/mail", env: map[string]string{"STATE_DIRECTORY": "/s"}, want: "/srv/mail"},
		{name: "relative to the file", data: "mail", want: "/etc/x/mail"},
		{name: "systemd", env: map[string]string{"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/h"}, want: "/var/lib/a"},
		{name: "root", env: map[string]string{"HOME": "/root"}, want: "/var/lib/postamt"},
		{name: "XDG", uid: 1000, env: map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/x"}, want: "/x/postamt"},
		{name: "relative XDG is not valid", uid: 1000, env: map[string]string{"HOME": "/h", "XDG_DATA_HOME": "x"}, want: "/h/.local/share/postamt"},
		{name: "home", uid: 1000, env: map[string]string{"HOME": "/h"}, want: "/h/.local/share/postamt"},
		{name: "nothing", uid: 1000, err: `data: there is no home folder to keep data in, set data = "/some/folder"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := host{
				getenv: func(k string) string { return tt.env[k] }, uid: tt.uid,
				hostname: func() (string, error) { return "", errors.New("no name") },
			}
			c := Default()
			c.Data = tt.data
			c.TLS.Certificates = []Certificate{{Cert: "a.pem", Key: "/k/a.key"}}
			c.LMTP.Listen = []string{"unix:lmtp.sock", "unix:/run/l.sock", "127.0.0.1:24"}
			err := h.resolve(&c, "/etc/x")
			if text(err) != tt.err || err == nil && c.Data != tt.want {
				t.Fatalf("got %q, %q; want %q, %q", c.Data, text(err), tt.want, tt.err)
			}
			if err != nil {
				return
			}
			if want := (Certificate{Cert: "/etc/x/a.pem", Key: "/k/a.key"}); c.TLS.Certificates[0] != want {
				t.Errorf("certificate %v, want %v", c.TLS.Certificates[0], want)
			}
			want := []string{"unix:" + tt.want + "/lmtp.sock", "unix:/run/l.sock", "127.0.0.1:24"}
			if diff := cmp.Diff(want, c.LMTP.Listen); diff != "" {
				t.Errorf("lmtp.listen (-want +got)\n%s", diff)
			}
			if c.Hostname != "localhost" {
				t.Errorf("hostname %q", c.Hostname)
			}
		})
	}
}

func TestLongSocketPath(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Data = "/" + strings.Repeat("d", 99)
	if err := c.Resolve(""); text(err) == "" || !strings.Contains(text(err), "has 110 octets, at most 107") {
		t.Errorf("got %v", err)
	}
	c.Data = "/" + strings.Repeat("d", 96)
	if err := c.Resolve(""); err != nil {
		t.Error(err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.pem"), "x")
	path := filepath.Join(dir, "p.toml")
	write(t, path, "[[tls.certificates]]\ncert = \"good.pem\"\nkey = \"none.pem\"\n[[tls.certificates]]\ncert = \".\"\nkey = \"good.pem\"")
	_, err := Load(path)
	want := path + ":3: tls.certificates[0].key: " + dir + "/none.pem does not exist, create it or correct the path\n" +
		path + ":5: tls.certificates[1].cert: " + dir + " is not a regular file"
	if diff := cmp.Diff(want, text(err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, err = Load(dir)
	if want := dir + ": is not a regular file"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

func TestUnreadableByThisUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	path := filepath.Join(t.TempDir(), "p.toml")
	write(t, path, "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	if want := path + ": cannot be read by this user, check owner and mode of the file and its folders"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
