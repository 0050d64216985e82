package pop3client_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// TestDovecot collects from a real Dovecot: every sign-in that it offers, every kind of TLS, messages octet for octet, in a
// batch, and deletion.
func TestDovecot(t *testing.T) {
	t.Parallel()
	testpeers.Need(t, "dovecot")
	if os.Getuid() != 0 {
		testpeers.Missing(t, "root, which Dovecot must be started by")
	}
	messages := []string{
		"Subject: small\r\n\r\nHello.\r\n",
		"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
		"Subject: 8 bits\r\n\r\n\xff\xfe\r\n",
		"Subject: one line of 100,000 octets\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
		bigMessage(8 << 20),
	}
	for i := range 200 {
		messages = append(messages, fmt.Sprintf("Subject: number %d\r\n\r\n%s\r\n", i, strings.Repeat(".\r\n", i)))
	}
	addr, addrTLS, pool := startDovecot(t, messages)
	dial := func(t *testing.T, security pop3client.Security, mech ...string) *pop3client.Client {
		t.Helper()
		opt := &pop3client.Options{
			Security: security, RootCAs: pool, TLSConfig: &tls.Config{ServerName: "localhost"}, Mechanisms: mech, AllowCleartext: true,
		}
		to := addr
		if security == pop3client.TLS {
			to = addrTLS
		}
		c, err := pop3client.Dial(t.Context(), to, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for _, security := range []pop3client.Security{pop3client.Clear, pop3client.STLS, pop3client.TLS} {
		for _, mech := range []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
			// One after the other, for there is one maildrop and one lock.
			c := dial(t, security, mech)
			if err := c.Login(t.Context(), "alice", "wrong"); !pop3.IsAuth(err) {
				t.Errorf("%s/%s with a wrong password: %v, want [AUTH]", security, mech, err)
			}
			if err := c.Login(t.Context(), "alice", aliceSecret); err != nil {
				t.Errorf("%s/%s: %v", security, mech, err)
			}
			if err := c.Quit(t.Context()); err != nil {
				t.Errorf("%s/%s: Quit: %v", security, mech, err)
			}
		}
	}
	c := dial(t, pop3client.Clear)
	if err := c.APOP(t.Context(), "alice", aliceSecret); err != nil {
		t.Errorf("APOP: %v", err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Errorf("APOP: Quit: %v", err)
	}

	ctx := t.Context()
	c = dial(t, pop3client.TLS)
	if err := c.Login(ctx, "alice", aliceSecret); err != nil {
		t.Fatal(err)
	}
	var ops []pop3client.Op
	for s, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, pop3client.Op{Num: s.Num, Size: s.Size})
	}
	uids := 0
	for u, err := range c.UIDs(ctx) {
		if err != nil || u.UID == "" {
			t.Fatalf("UIDL: %+v, %v", u, err)
		}
		uids++
	}
	if len(ops) != len(messages) || uids != len(messages) {
		t.Fatalf("%d messages and %d unique-ids, want %d", len(ops), uids, len(messages))
	}
	for r, err := range c.Batch(ctx, slices.Values(ops)) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != messages[r.Op.Num-1] || r.Message.Size != int64(len(b)) {
			t.Errorf("message %d: %d octets (said to be %d), want those delivered (%d)", r.Op.Num, len(b), r.Message.Size, len(messages[r.Op.Num-1]))
		}
	}
	m, err := c.Top(ctx, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(m); string(b) != "Subject: dots\r\n\r\n.\r\n" || err != nil {
		t.Errorf("TOP: %q, %v", b, err)
	}
	if err := c.Dele(ctx, 1); err != nil {
		t.Error(err)
	}
	var refused *pop3.Error
	if _, err := c.Retr(ctx, 1); !errors.As(err, &refused) {
		t.Errorf("RETR of a deleted message: %v", err)
	}
	if err := c.Quit(ctx); err != nil {
		t.Error(err)
	}
	c = dial(t, pop3client.STLS)
	if err := c.Login(ctx, "alice", aliceSecret); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Stat(ctx); err != nil || n != len(messages)-1 {
		t.Errorf("STAT after deletion: %d, %v, want %d", n, err, len(messages)-1)
	}
	if err := c.Quit(ctx); err != nil {
		t.Error(err)
	}
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
mail_location = maildir:%[1]s/mail
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
  args = uid=nobody gid=nogroup home=%[1]s/mail
}
`

// startDovecot starts a Dovecot in which alice has the messages. It returns the addresses for STLS and for TLS.
func startDovecot(t *testing.T, messages []string) (addr, addrTLS string, pool *x509.CertPool) {
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
	for _, sub := range []string{"cur", "new", "tmp"} {
		must(os.MkdirAll(filepath.Join(dir, "mail", sub), 0o777))
	}
	for i, m := range messages {
		must(os.WriteFile(filepath.Join(dir, "mail", "cur", fmt.Sprintf("%06d.any:2,", i)), []byte(m), 0o666))
	}
	must(exec.Command("chown", "-R", "nobody:nogroup", filepath.Join(dir, "mail")).Run())
	cert, pool := pop3test.NewCertificate(t, "localhost")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "users"), []byte("alice:{PLAIN}"+aliceSecret+"\n"), 0o644))
	var addrs, ports [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		addrs[i] = l.Addr().String()
		_, ports[i], _ = net.SplitHostPort(addrs[i])
		must(l.Close())
	}
	conf := filepath.Join(dir, "conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, dovecotConf, dir, ports[0], ports[1]), 0o644))
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
		conn, err := net.DialTimeout("tcp", addrs[1], time.Second)
		if err == nil {
			_ = conn.Close()
			return addrs[0], addrs[1], pool
		}
		<-tick.C
	}
	t.Fatal("Dovecot does not listen")
	return "", "", nil
}
