package testpeers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const mailutilsSettings = `
virtdomain { passwd-dir "%[1]s/domains"; };
auth { authentication "generic"; authorization "virtdomain"; };
mailbox { mailbox-type maildir; };
logging { syslog no; };
apop-database-file "%[1]s/apop.db";
undelete no;
pidfile "%[1]s/pid";
server %[2]s { tls-mode ondemand; tls { ssl-certificate-file "%[1]s/cert.pem"; ssl-key-file "%[1]s/key.pem"; }; };
server %[3]s { tls-mode connection; tls { ssl-certificate-file "%[1]s/cert.pem"; ssl-key-file "%[1]s/key.pem"; }; };
mandatory-locking { enable yes; lock-directory "%[1]s/lock"; };
`

// StartMailutils starts the pop3d of Debian's GNU Mailutils with Maildirs of its own, and stops it at the end of the test.
// Without it, or without root, the test is skipped as Need does. Its users sign in as name@box.
func StartMailutils(t testing.TB, users ...MailUser) *MailServer {
	t.Helper()
	Need(t, "openssl")
	pop3d, popauth := program(t, "mailutils-pop3d", "usr/sbin/pop3d"), program(t, "mailutils-pop3d", "usr/bin/popauth")
	s := newMailServer(t, "mailutils")
	uid, gid := account(t, "nobody")
	var passwd, apop strings.Builder
	for _, u := range users {
		home := filepath.Join(s.dir, "home", u.Name)
		s.maildir(t, filepath.Join(home, "INBOX"), u, uid, gid)
		must(t, os.Chown(home, uid, gid))
		cmd := exec.Command("openssl", "passwd", "-1", "-stdin")
		cmd.Stdin = strings.NewReader(u.Password + "\n")
		fmt.Fprintf(&passwd, "%s:%s:%d:%d::%s:/bin/false\n", u.Name, strings.TrimSpace(output(t, cmd)), uid, gid, home)
		fmt.Fprintf(&apop, "%s@box %s\n", u.Name, u.Password)
	}
	s.write(t, "domains/box", passwd.String(), 0o644)
	output(t, exec.Command(popauth, "--create", "--file="+s.write(t, "apop", apop.String(), 0o600), "--output="+filepath.Join(s.dir, "apop.db")))
	must(t, os.Mkdir(filepath.Join(s.dir, "lock"), 0o777))
	must(t, os.Chmod(filepath.Join(s.dir, "lock"), 0o1777))
	conf := s.write(t, "pop3d.conf", fmt.Sprintf(mailutilsSettings, s.dir, s.POP3, s.POP3S), 0o644)
	s.start(t, exec.Command(pop3d, "--foreground", "--daemon=100", "--config-file="+conf))
	return s
}
