package testpeers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// On the day of the move nothing is fetched twice: real fetchmail, getmail, mpop and fdm fetch and leave mail on the server,
// and what they write down is taken over. What comes after that is fetched.
func TestMoveIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		needs string
		run   func(t *testing.T, j job)
		state string // pattern of the file in the job's folder
	}{
		"fetchmail": {"fetchmail", func(t *testing.T, j job) { fetchmail(t, j) }, "ids"},
		"mpop":      {"mpop", func(t *testing.T, j job) { mpop(t, j) }, "uidls"},
		"getmail":   {"getmail", getmailState, "oldmail-*"},
		"fdm":       {"fdm", fdm, "cache"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Need(t, test.needs)
			d := Start(t, "")
			d.Run(t, []byte("a secret\n"), "account", "add", "bob", "--password-stdin")
			for i := range 3 {
				d.Run(t, fmt.Appendf(nil, "Message-ID: <%d@example.org>\r\n\r\n%d\r\n", i, i), "deliver", "bob")
			}
			dir, err := os.MkdirTemp("", "movein-") // getmail and fdm run as nobody, who must be able to enter it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			test.run(t, job{d: d, dir: dir, wire: clear, user: "bob", password: "a secret"})
			files, err := filepath.Glob(filepath.Join(dir, test.state))
			if err != nil || len(files) != 1 {
				t.Fatalf("its memory is in %v, %v", files, err)
			}

			home := filepath.Join(t.TempDir(), "postamt.toml")
			text := fmt.Sprintf("data = %q\n[[fetch]]\nname = \"isp\"\nurl = \"pop3://bob@localhost:%s\"\ntls = \"none\"\npassword = \"env:SECRET\"\nto = [%q]\nkeep = true\n",
				filepath.Join(filepath.Dir(home), "data"), Port(d.POP3), "maildir:"+filepath.Join(filepath.Dir(home), "Maildir"))
			if err := os.WriteFile(home, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			postamt := func(args ...string) string {
				cmd := exec.CommandContext(t.Context(), d.bin, append(args, "--config", home)...)
				cmd.Env = append(os.Environ(), "SECRET=a secret")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("postamt %s: %v\n%s", strings.Join(args, " "), err, out)
				}
				return string(out)
			}
			if out := postamt("fetch", "import-state", "isp", files[0]); !strings.HasPrefix(out, "3 messages of isp taken over, 0 known already") {
				t.Errorf("import-state: %s", out)
			}
			if out := postamt("fetch"); !strings.Contains(out, "nothing new") {
				t.Errorf("the first run fetches something:\n%s", out)
			}
			d.Run(t, []byte("Subject: new\r\n\r\nnew\r\n"), "deliver", "bob")
			if out := postamt("fetch"); !strings.Contains(out, "1 message fetched") {
				t.Errorf("after one more message:\n%s", out)
			}
		})
	}
}

// asNobody runs a program that refuses to work as root, with everything in the job's folder its own.
func (j job) asNobody(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = j.dir, append(os.Environ(), "HOME="+j.dir)
	if os.Getuid() == 0 {
		if err := os.Chmod(j.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "chown", "-R", fmt.Sprint(nobody), j.dir).CombinedOutput(); err != nil {
			t.Fatalf("chown: %v\n%s", err, out)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%.3000s", program, err, bytes.TrimSpace(out))
	}
}

func getmailState(t *testing.T, j job) {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(j.dir, "Maildir", sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	rc := j.write(t, "rc", fmt.Sprintf("[retriever]\ntype = SimplePOP3Retriever\nserver = localhost\nport = %s\nusername = %s\npassword = %s\n"+
		"[destination]\ntype = Maildir\npath = %s/Maildir/\n[options]\nread_all = false\ndelete = false\nverbose = 0\n", j.port(), j.user, j.password, j.dir))
	j.asNobody(t, "getmail", "--getmaildir", j.dir, "--rcfile", rc)
}

func fdm(t *testing.T, j job) {
	rc := j.write(t, "rc", fmt.Sprintf("set lock-file \"%[1]s/lock\"\naction \"in\" maildir \"%[1]s/mail\"\n"+
		"account \"a\" pop3 server \"localhost\" port %[2]s user %[3]q pass %[4]q new-only cache \"%[1]s/cache\" keep\nmatch all action \"in\"\n",
		j.dir, j.port(), j.user, j.password))
	j.asNobody(t, "fdm", "-f", rc, "fetch")
}
