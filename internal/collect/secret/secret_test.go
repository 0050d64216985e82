package secret

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hidden = "tell-nobody-7"

// get parses and gets, and sees that no error tells the password.
func get(t *testing.T, spec string, opt Options) (string, error) {
	t.Helper()
	s, err := Parse(spec, opt)
	if err == nil {
		var pass string
		if pass, err = s.Get(t.Context()); err == nil {
			return pass, nil
		}
		if strings.Contains(s.String(), hidden) {
			t.Errorf("String tells the password: %s", s)
		}
	}
	if strings.Contains(err.Error(), hidden) {
		t.Errorf("the error tells the password: %v", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is not one sentence: %q", err)
	}
	return "", err
}

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSources(t *testing.T) {
	// Not parallel: it sets the environment.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bob"), []byte(hidden+"\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("POSTAMT_TEST_SECRET", hidden)
	t.Setenv("POSTAMT_TEST_EMPTY", "")
	t.Setenv("NETRC", write(t, "machine pop.example.com login bob password "+hidden+"\n", 0o600))
	account := Options{Host: "pop.example.com", User: "bob"}
	asked := account
	asked.Prompt = func(_ context.Context, question string) (string, error) {
		if question != "Password of bob at pop.example.com: " {
			t.Errorf("the question is %q", question)
		}
		return hidden, nil
	}
	rung := account
	rung.Keyring = func(_ context.Context, service, user string) (string, error) {
		switch service + "/" + user {
		case "postamt/bob@pop.example.com", "mail/b/ob":
			return hidden, nil
		}
		return "", errors.New("no such secret")
	}
	refused := account
	refused.Prompt = func(context.Context, string) (string, error) { return "", context.Canceled }

	for _, test := range []struct {
		name, spec string
		opt        Options
		err        string // part of it; empty means that the password is found
	}{
		{"command", "command:printf '%s\\n' " + hidden, Options{}, ""},
		{"first line of many", "command:printf '" + hidden + "\\nlogin: bob\\n'", Options{}, ""},
		{"without a line end", "command:printf " + hidden, Options{}, ""},
		{"no shell", "command:printf %s " + hidden + ";id", Options{}, "-"},
		{"command fails", "command:false " + hidden, Options{}, "exit status 1; run it by hand"},
		{"stderr is not shown", "command:sh -c 'echo " + hidden + " >&2; exit 3'", Options{}, "exit status 3"},
		{"no such command", "command:/no/such/program " + hidden, Options{}, "cannot be run"},
		{"prints nothing", "command:true", Options{}, "is empty"},
		{"prints too much", "command:yes " + hidden, Options{}, "more than 65536 octets"},
		{"too long", "command:printf %04097d 1", Options{}, "more than 4096 octets"},
		{"long enough", "command:printf %04096d 1", Options{}, "-"},
		{"NUL", "command:printf 'a\\000" + hidden + "'", Options{}, "NUL"},
		{"open quote", "command:echo '" + hidden, Options{}, "without its end"},
		{"empty command", "command: ", Options{}, "name a program"},
		{"file", "file:" + write(t, hidden+"\r\n", 0o600), Options{}, ""},
		{"read-only file", "file:" + write(t, hidden, 0o400), Options{}, ""},
		{"file for the group", "file:" + write(t, hidden, 0o640), Options{}, "chmod 600"},
		{"file for others", "file:" + write(t, hidden, 0o604), Options{}, "chmod 600"},
		{"no file", "file:/no/such/file", Options{}, "no such file"},
		{"folder", "file:" + dir, Options{}, "not a regular file"},
		{"large file", "file:" + write(t, strings.Repeat("x", MaxOutput+1), 0o600), Options{}, "more than 65536 octets"},
		{"variable", "env:POSTAMT_TEST_SECRET", Options{}, ""},
		{"no variable", "env:POSTAMT_TEST_NONE", Options{}, "not set"},
		{"empty variable", "env:POSTAMT_TEST_EMPTY", Options{}, "is empty"},
		{"credential", "credential:bob", Options{}, ""},
		{"no credential", "credential:eve", Options{}, "LoadCredential=eve:PATH"},
		{"credential elsewhere", "credential:../bob", Options{}, "must be written"},
		{"netrc", "netrc", account, ""},
		{"netrc for nobody", "netrc", Options{}, "host and user"},
		{"netrc of another", "netrc", Options{Host: "pop.example.com", User: "eve"}, "no password for user eve"},
		{"prompt", "prompt", asked, ""},
		{"nobody to ask", "prompt", account, "nobody to ask"},
		{"nobody answers", "prompt", refused, "canceled"},
		{"a password in the wrong place", hidden, Options{}, "does not belong here"},
		{"keyring", "keyring", rung, ""},
		{"an entry of the keyring", "keyring:mail/b/ob", rung, ""},
		{"another entry", "keyring:mail/eve", rung, "no such secret"},
		{"keyring for nobody", "keyring", Options{Keyring: rung.Keyring}, "host and user"},
		{"half an entry", "keyring:" + hidden, rung, "keyring:SERVICE/USER"},
		{"no keyring", "keyring", account, "there is no keyring"},
		{"another kind", "wallet:" + hidden, Options{}, "must be written"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := get(t, test.spec, test.opt)
			switch {
			case test.err == "-":
				if err != nil {
					t.Error(err)
				}
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("got %q, error %v, want an error with %q", got, err, test.err)
			case test.err == "" && (err != nil || got != hidden):
				t.Errorf("got %q, error %v", got, err)
			}
		})
	}
}

func TestCredentialWithoutSystemd(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := get(t, "credential:bob", Options{}); err == nil || !strings.Contains(err.Error(), "CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("got %v", err)
	}
}

// A command that hangs is ended, and so is one whose child keeps the pipe open.
func TestCommandEnds(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := command{argv: []string{"sleep", "100"}, timeout: 50 * time.Millisecond}
	if _, err := c.Get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNetrc(t *testing.T) {
	t.Parallel()
	const text = `# mine
machine a.example.com login bob password one
machine A.example.com
	login eve password two # not "three"
machine b.example.com password anybody
machine q.example.com login "b ob" password "p \"q\" \\"
machine h.example.com login bob password #hash
macdef init
machine c.example.com login bob password macro

machine c.example.com login bob account x password after
machine n.example.com login bob
default login bob password rest
`
	for _, test := range []struct{ host, user, want string }{
		{"a.example.com", "bob", "one"},
		{"A.EXAMPLE.com", "eve", "two"},
		{"b.example.com", "whoever", "anybody"},
		{"q.example.com", "b ob", `p "q" \`},
		{"h.example.com", "bob", "#hash"},
		{"c.example.com", "bob", "after"},
		{"n.example.com", "bob", "rest"},
		{"z.example.com", "bob", "rest"},
		{"z.example.com", "eve", ""},
	} {
		got, ok := lookup(text, test.host, test.user)
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s at %s: %q, %v, want %q", test.user, test.host, got, ok, test.want)
		}
	}
}

func FuzzNetrc(f *testing.F) {
	f.Add("machine a login b password c")
	f.Add("machine a login b password \"c\\")
	f.Add("macdef x\n\ndefault password")
	f.Fuzz(func(t *testing.T, text string) {
		if pass, ok := lookup(text, "a", "b"); ok && len(pass) > len(text) {
			t.Errorf("%q out of %q", pass, text)
		}
	})
}
