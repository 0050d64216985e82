package testpeers

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3test"
)

// A MailServer is somebody else's POP3 server that runs for a test.
type MailServer struct {
	// POP3 (with STLS) and POP3S are addresses, host:port.
	POP3, POP3S string
	// CA is the file of the certificate that clients must trust, Pool the same; it is for localhost.
	CA   string
	Pool *x509.CertPool

	dir, key string
}

// A MailUser is an account with mail.
type MailUser struct {
	Name, Password string
	// Messages have CRLF line ends.
	Messages [][]byte
}

// unpacked is where .ci/run unpacks the servers that Debian does not install beside Dovecot.
const unpacked = "/usr/local/lib/postamt-peers"

// program returns the path of a program of a Debian package that is unpacked there.
func program(t testing.TB, pkg, path string) string {
	t.Helper()
	path = filepath.Join(unpacked, pkg, path)
	if _, err := os.Stat(path); err != nil {
		Missing(t, path+" (of a Debian package; .ci/run unpacks it there)")
	}
	return path
}

// newMailServer makes a folder, a certificate and the choice of ports.
func newMailServer(t testing.TB, name string) *MailServer {
	t.Helper()
	if os.Getuid() != 0 {
		Missing(t, "root, which "+name+" must be started by")
	}
	// Not t.TempDir: sockets want short names, and the workers, who are not root, must get through.
	dir, err := os.MkdirTemp("/tmp", name)
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	s := &MailServer{
		dir: dir, POP3: freePort(t), POP3S: freePort(t),
		CA: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"),
	}
	cert, pool := pop3test.NewCertificate(t, "localhost")
	s.Pool = pool
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(t, err)
	s.write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})), 0o644)
	s.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), 0o600)
	return s
}

// start starts the server and waits until it listens on both ports. All its processes, the log that it writes to
// standard output aside, are gone at the end of the test: they have a process namespace of their own.
func (s *MailServer) start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	log := &logBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWNS
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		Missing(t, "the right to make namespaces")
	} else {
		must(t, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", filepath.Base(cmd.Path), log)
		}
	})
	for _, addr := range []string{s.POP3, s.POP3S} {
		waitFor(t, addr)
	}
}

// waitFor waits until somebody listens.
func waitFor(t testing.TB, addr string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 { // a minute
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			_ = conn.Close()
			return
		}
		<-tick.C
	}
	t.Fatalf("nobody listens on %s", addr)
}

// write writes a file of the server's folder and returns its path.
func (s *MailServer) write(t testing.TB, name, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode))
	return path
}

// maildir makes a Maildir of a user's messages, which are named in their order, with LF line ends, and gives it to an owner.
func (s *MailServer) maildir(t testing.TB, dir string, u MailUser, uid, gid int) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	for i, m := range u.Messages {
		name := fmt.Sprintf("%d.M%06dP1.localhost:2,", 1_700_000_000+i, i)
		must(t, os.WriteFile(filepath.Join(dir, "cur", name), toLF(m), 0o600))
	}
	s.give(t, dir, uid, gid)
}

// give gives a folder with all that is in it to an owner.
func (s *MailServer) give(t testing.TB, dir string, uid, gid int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	}))
}

// WantLeft waits until a user, by the name to sign in with, has so many messages: some servers answer QUIT before they remove
// what is marked.
func (s *MailServer) WantLeft(t testing.TB, login, password string, want int) {
	t.Helper()
	var got []string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1200 { // a minute
		got = converse(t, s.POP3, "USER "+login, "PASS "+password, "STAT", "QUIT")
		if strings.HasPrefix(got[2], fmt.Sprintf("+OK %d ", want)) {
			return
		}
		<-tick.C
	}
	t.Errorf("the server says %q, want %d messages", got, want)
}

// account returns the numbers of a system user and its group.
func account(t testing.TB, name string) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		Missing(t, "the user "+name+" (of a Debian package; .ci/run installs it)")
		return
	}
	uid, err = strconv.Atoi(u.Uid)
	must(t, err)
	gid, err = strconv.Atoi(u.Gid)
	must(t, err)
	return uid, gid
}

// output runs a helper of a server and returns what it prints.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func toLF(m []byte) []byte {
	return slices.DeleteFunc(slices.Clone(m), func(c byte) bool { return c == '\r' })
}

// converse plays single-line commands in the clear and returns their replies.
func converse(t testing.TB, addr string, commands ...string) (replies []string) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, time.Minute)
	must(t, err)
	defer nc.Close()
	must(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	r := bufio.NewReader(nc)
	_, err = r.ReadString('\n')
	must(t, err)
	for _, c := range commands {
		fmt.Fprintf(nc, "%s\r\n", c)
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%.4s: %v", c, err)
		}
		replies = append(replies, strings.TrimRight(line, "\r\n"))
	}
	return replies
}
