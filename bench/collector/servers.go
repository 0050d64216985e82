package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/postamt/postamt/bench/internal/mailgen"
)

// A server is one that mail is fetched from.
type server interface {
	name() string
	addr() string
	// fill makes accounts, each with all messages.
	fill(ctx context.Context, home string, users []string) error
	start(home string) error
	stop() error
}

// maildir makes a Maildir with the messages of the comparison.
func maildir(folder string) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o755); err != nil {
			return err
		}
	}
	g := mailgen.New(1, 1)
	for n := range *messages {
		msg := g.Message(n, octets)
		unix := bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n"))
		name := fmt.Sprintf("%d.M%06dP1.bench,S=%d,W=%d", 1700000000+n, n, len(unix), len(msg))
		if err := os.WriteFile(filepath.Join(folder, "new", name), unix, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// end asks a process to end and waits.
func end(cmd *exec.Cmd) error {
	if cmd == nil {
		return nil
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Process.Signal(syscall.SIGTERM)
	if e := cmd.Wait(); e != nil && !strings.Contains(e.Error(), "signal: terminated") {
		err = errors.Join(err, e)
	}
	return err
}

// dovecot is Debian's, as it comes but for what a folder of one's own needs, and without its pause after a wrong password.
type dovecot struct{ cmd *exec.Cmd }

func (*dovecot) name() string { return "Dovecot" }
func (*dovecot) addr() string { return "127.0.0.1:31230" }

const dovecotConf = `base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
instance_name = collectorbench
listen = 127.0.0.1
protocols = pop3
ssl = no
disable_plaintext_auth = no
mail_location = maildir:%[1]s/mail/%%u
mail_uid = %[2]s
mail_gid = %[3]s
first_valid_uid = 1
first_valid_gid = 1
service pop3-login {
  inet_listener pop3 {
    port = 31230
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
  args = %[1]s/users
}
userdb {
  driver = static
  args = uid=%[2]s gid=%[3]s home=%[1]s/mail/%%u
}
`

func (d *dovecot) fill(_ context.Context, home string, users []string) error {
	var passwd strings.Builder
	for _, u := range users {
		fmt.Fprintf(&passwd, "%s:{PLAIN}%s::::::\n", u, password)
		if err := maildir(filepath.Join(home, "mail", u)); err != nil {
			return err
		}
	}
	uid, gid, err := ownerOf(*owner)
	if err != nil {
		return err
	}
	if err := exec.Command("chown", "-R", uid+":"+gid, filepath.Join(home, "mail")).Run(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(home, "users"), []byte(passwd.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "conf"), fmt.Appendf(nil, dovecotConf, home, uid, gid), 0o644)
}

func (d *dovecot) start(home string) error {
	d.cmd = exec.Command("dovecot", "-F", "-c", filepath.Join(home, "conf"))
	return d.cmd.Start()
}

func (d *dovecot) stop() error { return end(d.cmd) }

// office is Postamt as a server, with defaults.
type office struct{ cmd *exec.Cmd }

func (*office) name() string { return "Postamt" }
func (*office) addr() string { return "127.0.0.1:31231" }

func (o *office) fill(ctx context.Context, home string, users []string) error {
	conf := filepath.Join(home, "postamt.toml")
	text := fmt.Sprintf("data = %q\nhostname = \"localhost\"\n[pop3]\nlisten = [%q]\nlisten_tls = []\n[lmtp]\nlisten = []\n", filepath.Join(home, "data"), o.addr())
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	if err := maildir(filepath.Join(home, "mail")); err != nil {
		return err
	}
	for _, u := range users {
		add := exec.CommandContext(ctx, *program, "account", "add", "--config", conf, "--password-stdin", u)
		add.Stdin = strings.NewReader(password + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("account add: %w: %s", err, tail(out))
		}
		if out, err := exec.CommandContext(ctx, *program, "import", "--config", conf, "maildir", filepath.Join(home, "mail"), u).CombinedOutput(); err != nil {
			return fmt.Errorf("import: %w: %s", err, tail(out))
		}
	}
	return nil
}

func (o *office) start(home string) error {
	o.cmd = exec.Command(*program, "serve", "--config", filepath.Join(home, "postamt.toml"))
	return o.cmd.Start()
}

func (o *office) stop() error { return end(o.cmd) }
