package testpeers

import (
	"bytes"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPostfix sends mail through a real Postfix with the lines that docs/postfix.md tells people to use.
func TestPostfix(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		Missing(t, "root, which Postfix must be started by")
	}
	Need(t, "postfix")
	d := Start(t, `domains = ["example.com"]`)
	d.Run(t, []byte("correct-horse\n"), "account", "add", "bob", "--password-stdin")
	d.Run(t, []byte("correct-horse\n"), "account", "add", "eve", "--password-stdin")
	pf := startPostfix(t, d)

	body := "From: Alice <alice@example.org>\r\nTo: bob@example.com\r\nSubject: through Postfix\r\n\r\n.dots\r\nGrüße\r\n"
	for range 5 {
		if err := smtp.SendMail(pf.addr, nil, "alice@example.org", []string{"bob@example.com", "eve+news@example.com"}, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	pf.drain(t)
	for _, user := range []string{"bob", "eve@example.com"} {
		if n := left(t, d, user, "correct-horse"); n != 5 {
			t.Errorf("%s has %d messages, want 5; Postfix says:\n%s", user, n, pf.log(t))
		}
	}
	if err := smtp.SendMail(pf.addr, nil, "", []string{"nobody@example.com"}, []byte(body)); err != nil {
		t.Fatal(err)
	}
	pf.drain(t)
	if log := pf.log(t); !strings.Contains(log, "to=<nobody@example.com>") || !strings.Contains(log, "5.1.1") {
		t.Errorf("an unknown recipient was not refused with 5.1.1:\n%s", log)
	}
}

type postfix struct{ dir, addr string }

var mainCF = regexp.MustCompile("(?s)```main.cf\n(.*?)```")

func startPostfix(t *testing.T, d *Daemon) postfix {
	doc, err := os.ReadFile("../../docs/postfix.md")
	if err != nil {
		t.Fatal(err)
	}
	m := mainCF.FindSubmatch(doc)
	if m == nil {
		t.Fatal("docs/postfix.md has no main.cf block")
	}
	lines := strings.Replace(string(m[1]), "127.0.0.1:24", d.LMTP, 1)

	dir, err := os.MkdirTemp("", "postfix-") // its daemons must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	pf := postfix{dir: dir, addr: freePort(t)}
	for name, mode := range map[string]os.FileMode{"": 0o755, "etc": 0o755, "queue": 0o755, "data": 0o755} {
		os.Mkdir(filepath.Join(dir, name), mode)
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "chown", "postfix", filepath.Join(dir, "data"))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
%[2]s`, dir, lines))
	write("master.cf", pf.addr+" inet n - n - - smtpd\n"+strings.ReplaceAll(`pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
`, " unix", "  unix"))
	// Its daemons inherit the output, so that must be no pipe that somebody waits for.
	if err := exec.CommandContext(t.Context(), "postfix", "-c", filepath.Join(dir, "etc"), "start").Run(); err != nil {
		t.Fatalf("postfix start: %v", err)
	}
	t.Cleanup(func() { exec.Command("postfix", "-c", filepath.Join(dir, "etc"), "abort").Run() })
	return pf
}

// drain waits until Postfix has nothing queued.
func (pf postfix) drain(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1200 {
		out := run(t, "postqueue", "-c", filepath.Join(pf.dir, "etc"), "-j")
		if len(bytes.TrimSpace(out)) == 0 {
			return
		}
		<-tick.C
	}
	t.Fatalf("Postfix still has mail queued after a minute:\n%s", pf.log(t))
}

func (pf postfix) log(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(pf.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &errs)
	}
	return out
}
