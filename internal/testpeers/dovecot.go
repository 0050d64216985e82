package testpeers

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3/pop3test"
)

// A Dovecot is a running Dovecot 2.3 (Debian's) with Maildirs of its own.
type Dovecot struct {
	// POP3 (with STLS) and POP3S are addresses, host:port.
	POP3, POP3S string
	// IMAP (with STARTTLS) and IMAPS are addresses, too; empty without Debian's dovecot-imapd, see NeedIMAP.
	IMAP, IMAPS string
	// CA is the file of the certificate that clients must trust, Pool the same; it is for localhost.
	CA   string
	Pool *x509.CertPool

	dir string
}

// A DovecotUser is an account with mail.
type DovecotUser struct {
	Name, Password string
	// Messages have CRLF line ends.
	Messages [][]byte
	// UIDs are the messages' names in the Maildir, which are their unique-ids with the setting pop3_uidl_format = %f.
	// Empty ones are made up.
	UIDs []string
}

const dovecotConf = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
listen = 127.0.0.1
protocols = pop3
ssl = yes
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login apop cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
mail_location = maildir:%[1]s/mail/%%u
mail_max_userip_connections = 0
pop3_lock_session = yes
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
service pop3-login {
  inet_listener pop3 {
    port = %[2]s
  }
  inet_listener pop3s {
    port = %[3]s
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN %[1]s/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%[1]s/mail/%%u
}
%[4]s
`

const dovecotIMAPConf = `
protocols = pop3 imap
mail_max_userip_connections = 0
service imap-login {
  inet_listener imap {
    port = %s
  }
  inet_listener imaps {
    port = %s
  }
}
`

// dovecotIMAP is Dovecot's program for IMAP.
const dovecotIMAP = "/usr/lib/dovecot/imap"

// NeedIMAP skips the test, as Need does, if Dovecot cannot do IMAP.
func NeedIMAP(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(dovecotIMAP); err != nil {
		Missing(t, "dovecot-imapd (a Debian package; .ci/run installs it)")
	}
}

// StartDovecot starts a Dovecot with the given lines added to its configuration, waits until it listens, and stops it at
// the end of the test. Without Dovecot, or without root, the test is skipped as Need does.
func StartDovecot(t testing.TB, settings string, users ...DovecotUser) *Dovecot {
	t.Helper()
	Need(t, "dovecot")
	if os.Getuid() != 0 {
		Missing(t, "root, which Dovecot must be started by")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// Not t.TempDir: sockets want short names, and the workers, who are not root, must get through.
	dir, err := os.MkdirTemp("/tmp", "dovecot")
	must(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(os.Chmod(dir, 0o755))
	d := &Dovecot{dir: dir, POP3: freePort(t), POP3S: freePort(t), CA: filepath.Join(dir, "cert.pem")}

	if _, err := os.Stat(dovecotIMAP); err == nil {
		d.IMAP, d.IMAPS = freePort(t), freePort(t)
		settings = fmt.Sprintf(dovecotIMAPConf, Port(d.IMAP), Port(d.IMAPS)) + settings
	}

	var passwd strings.Builder
	for _, u := range users {
		fmt.Fprintf(&passwd, "%s:{PLAIN}%s\n", u.Name, u.Password)
		must(d.fill(u))
	}
	must(os.WriteFile(filepath.Join(dir, "users"), []byte(passwd.String()), 0o644))
	must(exec.Command("chown", "-R", "nobody:nogroup", filepath.Join(dir, "mail")).Run())

	cert, pool := pop3test.NewCertificate(t, "localhost")
	d.Pool = pool
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(d.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	conf := filepath.Join(dir, "conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, dovecotConf, dir, Port(d.POP3), Port(d.POP3S), settings), 0o644))

	var said logBuffer
	cmd := exec.Command("dovecot", "-F", "-c", conf)
	cmd.Stdout, cmd.Stderr = &said, &said
	must(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("Dovecot said:\n%s\nand its log:\n%s", &said, log)
		}
	})
	ports := []string{d.POP3, d.IMAP} // it opens them one after the other
	if !strings.Contains(settings, "ssl = no") {
		ports = append(ports, d.POP3S, d.IMAPS)
	}
	for _, addr := range ports {
		if addr != "" {
			waitFor(t, addr)
		}
	}
	return d
}

// fill makes a user's Maildir, and the list that keeps its order.
func (d *Dovecot) fill(u DovecotUser) error {
	box := filepath.Join(d.dir, "mail", u.Name)
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(box, sub), 0o777); err != nil {
			return err
		}
	}
	var list strings.Builder
	fmt.Fprintf(&list, "3 V1 N%d G0123456789abcdef0123456789abcdef\n", len(u.Messages)+1)
	for i, m := range u.Messages {
		uid := fmt.Sprintf("%06d.any", i)
		if i < len(u.UIDs) && u.UIDs[i] != "" {
			uid = u.UIDs[i]
		}
		if err := os.WriteFile(filepath.Join(box, "cur", uid+":2,"), m, 0o666); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%d :%s\n", i+1, uid)
	}
	return os.WriteFile(filepath.Join(box, "dovecot-uidlist"), []byte(list.String()), 0o666)
}

// Left returns how many messages a user has.
func (d *Dovecot) Left(t testing.TB, user string) (n int) {
	t.Helper()
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(d.dir, "mail", user, sub))
		if err != nil {
			t.Fatal(err)
		}
		n += len(entries)
	}
	return n
}

// Renew gives a user's INBOX another UIDVALIDITY, as when it is restored from a backup.
func (d *Dovecot) Renew(t testing.TB, user string) {
	t.Helper()
	box := filepath.Join(d.dir, "mail", user)
	list := filepath.Join(box, "dovecot-uidlist")
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(text), "\n")
	words := strings.Fields(line)
	for i, w := range words {
		if strings.HasPrefix(w, "V") {
			words[i] = w + "7"
		}
	}
	if err := os.WriteFile(list, []byte(strings.Join(words, " ")+"\n"+rest), 0o666); err != nil {
		t.Fatal(err)
	}
	indexes, err := filepath.Glob(filepath.Join(box, "dovecot.index*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range indexes {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// Flagged returns how many of a user's messages are marked with anything.
func (d *Dovecot) Flagged(t testing.TB, user string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(d.dir, "mail", user, "cur"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, flags, _ := strings.Cut(e.Name(), ":2,"); flags != "" {
			n++
		}
	}
	return n
}
