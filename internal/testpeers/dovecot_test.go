package testpeers

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3test"
)

// A dovecotServer is a running Dovecot 2.3 (Debian's) with mailboxes of its own.
type dovecotServer struct {
	dir         string
	pop3, pop3s string // ports
	ca          string // file of the certificate that clients must trust; it is for localhost
}

const dovecotPassword = "correct horse"

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
`

// startDovecot starts a Dovecot in which each of the users has the corpus.
func startDovecot(t *testing.T, users ...string) *dovecotServer {
	t.Helper()
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
	d := &dovecotServer{dir: dir, pop3: Port(freePort(t)), pop3s: Port(freePort(t)), ca: filepath.Join(dir, "cert.pem")}
	var passwd strings.Builder
	for _, user := range users {
		fmt.Fprintf(&passwd, "%s:{PLAIN}%s\n", user, dovecotPassword)
		for _, sub := range []string{"cur", "new", "tmp"} {
			must(os.MkdirAll(filepath.Join(dir, "mail", user, sub), 0o777))
		}
		for i, l := range corpus {
			must(os.WriteFile(filepath.Join(dir, "mail", user, "cur", fmt.Sprintf("%06d.any:2,", i)), l.text, 0o666))
		}
	}
	must(exec.Command("chown", "-R", "nobody:nogroup", filepath.Join(dir, "mail")).Run())
	cert, _ := pop3test.NewCertificate(t, "localhost")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(d.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "users"), []byte(passwd.String()), 0o644))
	conf := filepath.Join(dir, "conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, dovecotConf, dir, d.pop3, d.pop3s), 0o644))
	cmd := exec.Command("dovecot", "-F", "-c", conf)
	must(cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("Dovecot's log:\n%s", log)
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+d.pop3s, time.Second)
		if err == nil {
			_ = conn.Close()
			return d
		}
		<-tick.C
	}
	t.Fatal("Dovecot does not listen")
	return nil
}

// left returns how many messages a user has.
func (d *dovecotServer) left(t *testing.T, user string) int {
	t.Helper()
	n := 0
	for _, sub := range []string{"cur", "new"} {
		n += len(readFiles(t, filepath.Join(d.dir, "mail", user, sub)))
	}
	return n
}
