package testpeers

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A home is a folder with a configuration in which postamt fetch is run.
type home struct{ dir, config, bin string }

// newHome returns one whose only [[fetch]] has these lines besides name, password and to: it brings mail into a Maildir
// and into the account bob.
func newHome(t *testing.T, lines string) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{dir: dir, config: filepath.Join(dir, "postamt.toml"), bin: Binary(t)}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(farPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.configure(t, lines)
	h.run(t, 0, "account", "add", "--no-password", "bob")
	return h
}

func (h *home) configure(t *testing.T, lines string) {
	t.Helper()
	text := fmt.Sprintf(`data = "data"
[[fetch]]
name = "far"
password = "file:password"
to = ["maildir:Maildir", "store:bob"]
trace = false
%s
`, lines)
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command, which must end with a status, and returns all it printed.
func (h *home) run(t *testing.T, status int, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), h.bin, append(args, "--config", h.config)...).CombinedOutput()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != status {
		t.Fatalf("postamt %s: status %d, want %d\n%s", strings.Join(args, " "), got, status, out)
	}
	return string(out)
}

// wantCorpus compares what is in both places with the corpus, but for what the server put into the messages.
func (h *home) wantCorpus(t *testing.T, served func([]byte) []byte) {
	t.Helper()
	want := func(dir, eol string) {
		t.Helper()
		messages := readFiles(t, dir)
		for i := range messages {
			messages[i] = served(messages[i])
		}
		wantSame(t, messages, eol)
	}
	want(filepath.Join(h.dir, "Maildir", "new"), "\n")
	out := filepath.Join(t.TempDir(), "out")
	h.run(t, 0, "export", "bob", out, "--crlf")
	want(filepath.Join(out, "new"), "\r\n")
}

// TestCollect brings home a mailbox on every real server, in every way to connect and to sign in, into a Maildir and into
// an account here, to the octet; a second run fetches nothing.
func TestCollect(t *testing.T) {
	t.Parallel()
	var messages [][]byte
	for _, l := range corpus {
		messages = append(messages, l.text)
	}
	wires := []wire{clear, stls, pop3s}
	for _, f := range servers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var users []MailUser
			for _, w := range wires {
				users = append(users, MailUser{Name: strings.ToLower(string(w)), Password: farPassword, Messages: messages})
			}
			s := f.start(t, users...)
			for i, w := range wires {
				t.Run(string(w), func(t *testing.T) {
					t.Parallel()
					f.collect(t, s, users[i].Name, w)
				})
			}
		})
	}
}

func (f far) collect(t *testing.T, s *MailServer, user string, w wire) {
	login := url.PathEscape(f.login(user))
	login = strings.ReplaceAll(login, "@", "%40")
	server := map[wire]string{
		clear: fmt.Sprintf("url = \"pop3://%s@localhost:%s\"\ntls = \"none\"\n", login, Port(s.POP3)),
		stls:  fmt.Sprintf("url = \"pop3://%s@localhost:%s\"\nca = %q\n", login, Port(s.POP3), s.CA),
		pop3s: fmt.Sprintf("url = \"pop3s://%s@localhost:%s\"\nca = %q\n", login, Port(s.POP3S), s.CA),
	}[w]
	h := newHome(t, server+"keep = true")
	if f.unbound && w != clear {
		if out := h.run(t, 1, "fetch"); !strings.Contains(out, "without -PLUS") {
			t.Errorf("channel binding that cannot work: %q", out)
		}
		server += "auth = [\"SCRAM-SHA-256\"]\n"
		h.configure(t, server+"keep = true")
	}
	out := h.run(t, 0, "fetch")
	if want := fmt.Sprintf("far: %d messages fetched, ", len(corpus)); !strings.HasPrefix(out, want) {
		t.Errorf("got %q, want %q", out, want)
	}
	h.wantCorpus(t, f.served)
	s.WantLeft(t, f.login(user), farPassword, len(corpus))
	for _, mech := range f.signIns[w] {
		h.configure(t, strings.Split(server, "auth = ")[0]+"keep = true\nauth = [\""+mech+"\"]\n")
		if out := h.run(t, 0, "fetch"); out != "far: nothing new\n" {
			t.Errorf("another run, signing in with %s: %q", mech, out)
		}
	}
	h.configure(t, server)
	if out, want := h.run(t, 0, "fetch"), fmt.Sprintf("far: nothing new; %d deleted there\n", len(corpus)); out != want {
		t.Errorf("the run that deletes: %q, want %q", out, want)
	}
	s.WantLeft(t, f.login(user), farPassword, 0)
	if out := h.run(t, 0, "fetch"); out != "far: nothing new\n" {
		t.Errorf("the last run: %q", out)
	}
	h.wantCorpus(t, f.served)
}

// TestCollectDovecotRefuses: what is wrong at a real Dovecot needs a person, and nothing is sent to a server that nobody
// vouches for.
func TestCollectDovecotRefuses(t *testing.T) {
	t.Parallel()
	Need(t, "dovecot")
	d := startDovecot(t, "bob")
	h := newHome(t, fmt.Sprintf("url = \"pop3s://bob@localhost:%s\"", Port(d.POP3S)))
	if out := h.run(t, 1, "fetch"); !strings.Contains(out, "certificate") {
		t.Errorf("a certificate of nobody's: %q", out)
	}
	h.configure(t, fmt.Sprintf("url = \"pop3s://nobody@localhost:%s\"\nca = %q", Port(d.POP3S), d.CA))
	if out := h.run(t, 1, "fetch"); !strings.Contains(out, "nothing fetched") {
		t.Errorf("a user who is not there: %q", out)
	}
	h.configure(t, fmt.Sprintf("url = \"pop3s://bob@localhost:%s\"\ntrust = \"first-use\"", Port(d.POP3S)))
	if out := h.run(t, 0, "fetch"); !strings.Contains(out, "deleted there") {
		t.Errorf("trust at first use: %q", out)
	}
	h.wantCorpus(t, asIs)
	other := startDovecot(t, "bob")
	h.configure(t, fmt.Sprintf("url = \"pop3s://bob@localhost:%s\"\ntrust = \"first-use\"", Port(other.POP3S)))
	if out := h.run(t, 1, "fetch"); !strings.Contains(out, "is not the one that is known") {
		t.Errorf("another key: %q", out)
	}
}
