package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// accepts asks the daemon whether it takes mail for an address.
func accepts(t *testing.T, lmtp, address string) bool {
	t.Helper()
	nc, err := net.Dial("tcp", lmtp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	_, _ = fmt.Fprintf(nc, "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nQUIT\r\n", address)
	var rcpt string
	for lines := bufio.NewScanner(nc); lines.Scan(); {
		if line := lines.Text(); strings.Contains(line, "5.1.1") || strings.Contains(line, "2.1.5") {
			rcpt = line
		}
	}
	return strings.HasPrefix(rcpt, "250")
}

func TestServe(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start(t)

	// Accounts and mail of commands are there at once, and commands refuse what the daemon has.
	d.must(t, "secret-bob\n", "account", "add", "--password-stdin", "bob")
	d.must(t, "Subject: hello\n\nHello Bob.\n", "deliver", "bob")
	c, err := signIn(t.Context(), d.pop3, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if n, octets, err := c.Stat(t.Context()); n != 1 || octets != 30 || err != nil {
		t.Errorf("STAT: %d, %d, %v", n, octets, err)
	}
	if out, err := d.postamt(t, "", "serve"); err == nil || !strings.Contains(out, "runs on the data folder") {
		t.Errorf("a second daemon: %v\n%s", err, out)
	}

	// Deleted over POP3, listed and brought back by a command.
	if err := c.Dele(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := d.must(t, "", "undelete", "--dry-run", "--since", "1h", "bob"); !strings.Contains(out, "1 message would be brought back") {
		t.Errorf("undelete --dry-run:\n%s", out)
	}
	if out := d.must(t, "", "undelete", "--dry-run", "--json", "bob"); !strings.Contains(out, `"octets": 30`) {
		t.Errorf("undelete --dry-run --json:\n%s", out)
	}
	if out := d.must(t, "", "undelete", "bob"); !strings.Contains(out, "1 message brought back for bob") {
		t.Errorf("undelete:\n%s", out)
	}

	// A disabled account is shut out at once, and takes mail in.
	d.must(t, "", "account", "disable", "bob")
	if _, err := signIn(t.Context(), d.pop3, "bob"); err == nil {
		t.Error("a disabled account lets in")
	}
	d.must(t, "Subject: later\n\n", "deliver", "bob")
	d.must(t, "", "account", "enable", "bob")
	c, err = signIn(t.Context(), d.pop3, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Stat(t.Context()); n != 2 || err != nil {
		t.Errorf("STAT: %d, %v; want 2 messages", n, err)
	}
	_ = c.Close()

	d.must(t, "", "account", "remove", "--yes", "bob")
	if accepts(t, d.lmtp, "bob") {
		t.Error("mail is taken in for a removed account")
	}
	log := d.stop(t)
	for _, want := range []string{`"msg":"closed"`, `"user":"bob"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "secret") || strings.Contains(log, "Hello") {
		t.Errorf("the log has what it must not:\n%s", log)
	}
}

// postamt reload and SIGHUP take over a new configuration; one with an error changes nothing, and the command says why.
func TestReload(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.must(t, "secret-bob\n", "account", "add", "--password-stdin", "bob")
	if out, err := d.postamt(t, "", "reload"); err == nil || !strings.Contains(out, "no daemon runs on the data folder") {
		t.Errorf("without a daemon: %v\n%s", err, out)
	}
	d.start(t)
	open, err := signIn(t.Context(), d.pop3, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if accepts(t, d.lmtp, "bob@example.net") {
		t.Fatal("takes mail for a domain that is not ours")
	}
	d.configure(t, `domains = ["example.net"]`)
	if out := d.must(t, "", "reload"); out != "reloaded\n" {
		t.Errorf("reload: %s", out)
	}
	if !accepts(t, d.lmtp, "bob@example.net") {
		t.Error("the reload did not take the new domain over")
	}

	d.configure(t, `domains = "a mistake"`)
	if out, err := d.postamt(t, "", "reload"); err == nil || !strings.Contains(out, "postamt.toml:2: domains:") {
		t.Errorf("with a mistake: %v\n%s", err, out)
	}
	// A file that only the daemon cannot use: the text is the daemon's.
	d.configure(t, fmt.Sprintf("tls.certificates = [{ cert = %q, key = %q }]", d.config, d.config))
	if out, err := d.postamt(t, "", "reload"); err == nil || !strings.Contains(out, "not reloaded, the old configuration stays in force") {
		t.Errorf("with a bad certificate: %v\n%s", err, out)
	}
	if !accepts(t, d.lmtp, "bob@example.net") {
		t.Error("a reload that failed changed something")
	}

	d.configure(t, `domains = ["example.org"]`)
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !accepts(t, d.lmtp, "bob@example.org"); {
		if time.Now().After(deadline) {
			t.Fatal("SIGHUP did not reload")
		}
	}
	if err := open.Noop(t.Context()); err != nil {
		t.Errorf("a session did not live through the reloads: %v", err)
	}
	if err := open.Quit(t.Context()); err != nil {
		t.Errorf("a session did not live through the reloads: %v", err)
	}
	d.stop(t)
}

// Under systemd: the ports are its, and it is told when the daemon is ready, reloads, and stops.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	path := filepath.Join(d.dir, "notify.sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	// Everything is read as it comes: the kernel keeps few datagrams, and the watchdog's would leave no room for the others.
	said := make(chan string, 100_000)
	go func() {
		defer close(said)
		for b := make([]byte, 4096); ; {
			n, err := manager.Read(b)
			if err != nil {
				return
			}
			said <- string(b[:n])
		}
	}()
	defer func() {
		_ = manager.Close()
		for range said { // until the goroutine has ended
		}
	}()
	hear := func(want string) {
		t.Helper()
		for patience := time.After(time.Minute); ; {
			select {
			case s := <-said:
				if strings.Contains(s, want) {
					return
				}
			case <-patience:
				t.Fatalf("%s was not said", want)
			}
		}
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	file, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	d.env = []string{"NOTIFY_SOCKET=" + path, "LISTEN_FDS=1", "LISTEN_FDNAMES=pop3", "WATCHDOG_USEC=200000"}
	d.files = []*os.File{file}
	d.start(t)
	_ = file.Close()
	hear("READY=1")
	hear("WATCHDOG=1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := pop3client.Dial(ctx, socket.Addr().String(), &pop3client.Options{Security: pop3client.Clear})
	if err != nil {
		t.Fatalf("the socket of the service manager is not served: %v", err)
	}
	_ = c.Quit(ctx)
	d.must(t, "", "reload")
	hear("RELOADING=1")
	hear("READY=1")
	d.stop(t)
	hear("STOPPING=1")
}
