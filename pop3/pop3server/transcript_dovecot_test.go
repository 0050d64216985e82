package pop3server_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3test"
)

// TestTranscriptsDovecot plays transcripts to a Dovecot, if there is one: what holds for two servers is hardly a mistake of
// the one who wrote the transcript. Those that are not listed ask for what RFCs leave open and Dovecot 2.3 does otherwise:
// it says +OK without text, takes PASS after USER and CAPA, hangs up after [IN-USE], waits 10 seconds for the lock, gives
// [AUTH] to an unknown mechanism, does not list USER after sign-in, and does not count the line end that it adds to a
// message without one.
func TestTranscriptsDovecot(t *testing.T) {
	t.Parallel()
	testpeers.Need(t, "dovecot")
	if os.Getuid() != 0 {
		testpeers.Missing(t, "root, which Dovecot must be started by")
	}
	for _, name := range []string{
		"rfc1939-5-transaction", "rfc1939-7-apop", "rfc1939-10-session", "rfc2449-6.6-pipelining", "s060-commands", "s160-pipelining",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := pop3test.LoadTranscript(t, filepath.Join("testdata", name+".txtar"))
			addr := startDovecot(t, tr)
			pop3test.RunTranscript(t, pop3test.Target{Dial: func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}}, tr)
		})
	}
}

const dovecotConf = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
listen = 127.0.0.1
protocols = pop3
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login apop cram-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
mail_location = maildir:%[1]s/mail/%%u
mail_max_userip_connections = 0
pop3_lock_session = yes
pop3_uidl_format = %%f
pop3_enable_last = %[3]s
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
service pop3-login {
  inet_listener pop3 {
    port = %[2]s
  }
  inet_listener pop3s {
    port = 0
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

// startDovecot starts a Dovecot with what the transcript asks for and returns its address.
func startDovecot(t *testing.T, tr *pop3test.Transcript) string {
	t.Helper()
	// Sockets have short names, and the workers, who are not root, must get through.
	dir, err := os.MkdirTemp("/tmp", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(dir, 0o755))
	last := "no"
	if tr.Has("last") {
		last = "yes"
	}
	var users strings.Builder
	for _, a := range tr.Accounts {
		fmt.Fprintf(&users, "%s:{PLAIN}%s\n", a.User, a.Password)
		cur := filepath.Join(dir, "mail", a.User, "cur")
		for _, sub := range []string{cur, filepath.Join(dir, "mail", a.User, "new"), filepath.Join(dir, "mail", a.User, "tmp")} {
			must(os.MkdirAll(sub, 0o777))
		}
		list := fmt.Sprintf("3 V1 N%d G0123456789abcdef0123456789abcdef\n", len(a.Messages)+1)
		for i, m := range a.Messages {
			uid := m.UID
			if uid == "" {
				uid = fmt.Sprintf("%d.any", i)
			}
			must(os.WriteFile(filepath.Join(cur, uid+":2,"), m.Octets, 0o666))
			list += fmt.Sprintf("%d :%s\n", i+1, uid)
		}
		must(os.WriteFile(filepath.Join(dir, "mail", a.User, "dovecot-uidlist"), []byte(list), 0o666))
	}
	must(exec.Command("chown", "-R", "nobody:nogroup", filepath.Join(dir)).Run())
	must(os.WriteFile(filepath.Join(dir, "users"), []byte(users.String()), 0o644))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	addr := ln.Addr().String()
	must(ln.Close())
	_, port, _ := net.SplitHostPort(addr)
	conf := filepath.Join(dir, "conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, dovecotConf, dir, port, last), 0o644))
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
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		<-tick.C
	}
	t.Fatal("Dovecot does not listen")
	return ""
}
