package testpeers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// courierSettings are those of Debian's pop3d and pop3d-ssl, with every sign-in that they name.
const courierSettings = `
POP3AUTH="LOGIN PLAIN CRAM-MD5 CRAM-SHA1 CRAM-SHA256"
POP3AUTH_TLS="LOGIN PLAIN"
POP3_PROXY=0
POP3_STARTTLS=YES
POP3_TLS_REQUIRED=0
MAILDIRPATH=Maildir
COURIERTLS=/usr/bin/couriertls
TLS_CERTFILE=/etc/courier/pop3d.pem
TLS_PRIORITY=NORMAL
TLS_VERIFYPEER=NONE
`

// courierScript gives Courier its fixed places, /etc/courier and /run/courier, in a mount namespace of its own.
const courierScript = `
mount -t tmpfs none /run
mkdir -p /run/courier/authdaemon
chown -R courier /run/courier
mount --bind "$DIR/etc" /etc/courier
makeuserdb
set -a
. "$DIR/settings"
/usr/lib/courier/courier-authlib/authdaemond &
until [ -S /run/courier/authdaemon/socket ]; do sleep 0.05; done
tcpd="/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup"
POP3_TLS=1 POP3_STARTTLS=NO $tcpd "$TLSPORT" /usr/bin/couriertls -server -tcpd -user=courier "$LOGIN" "$POP3D" Maildir &
$tcpd "$PORT" "$LOGIN" "$POP3D" Maildir
`

// StartCourier starts Debian's Courier with Maildirs of its own, and stops it at the end of the test. Without Courier, or
// without root, the test is skipped as Need does.
func StartCourier(t testing.TB, users ...MailUser) *MailServer {
	t.Helper()
	Need(t, "couriertcpd", "couriertls", "makeuserdb", "userdbpw")
	login, pop3d := program(t, "courier-pop", "usr/lib/courier/courier/courierpop3login"), program(t, "courier-pop", "usr/lib/courier/courier/courierpop3d")
	s := newMailServer(t, "courier")
	uid, gid := account(t, "nobody")
	courier, _ := account(t, "courier")

	var db strings.Builder
	for _, u := range users {
		home := filepath.Join(s.dir, "mail", u.Name)
		s.maildir(t, filepath.Join(home, "Maildir"), u, uid, gid)
		must(t, os.Chown(home, uid, gid))
		fmt.Fprintf(&db, "%s\tuid=%d|gid=%d|home=%s|mail=%s/Maildir|systempw=%s|hmac-md5pw=%s\n", u.Name, uid, gid, home, home,
			userdbpw(t, u.Password, "-md5"), userdbpw(t, u.Password, "-hmac-md5"))
	}
	s.write(t, "etc/userdb", db.String(), 0o600)
	s.write(t, "etc/authdaemonrc", `authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=2
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
LOGGEROPTS=""
`, 0o644)
	pair := s.write(t, "etc/pop3d.pem", readFile(t, s.key)+readFile(t, s.CA), 0o600)
	must(t, os.Chown(pair, courier, 0))
	s.write(t, "settings", readFile(t, filepath.Join(s.dir, "etc/authdaemonrc"))+courierSettings, 0o644)
	cmd := exec.Command("/bin/sh", "-euc", courierScript)
	cmd.Env = append(os.Environ(), "DIR="+s.dir, "PORT="+Port(s.POP3), "TLSPORT="+Port(s.POP3S), "LOGIN="+login, "POP3D="+pop3d)
	s.start(t, cmd)
	return s
}

// userdbpw returns what Courier keeps of a password.
func userdbpw(t testing.TB, password, kind string) string {
	t.Helper()
	cmd := exec.Command("userdbpw", kind)
	cmd.Stdin = strings.NewReader(password + "\n")
	return strings.TrimSpace(output(t, cmd))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}
