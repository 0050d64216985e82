package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/postamt/postamt/bench/internal/lmtp"
	"github.com/postamt/postamt/bench/internal/mailgen"
	"github.com/postamt/postamt/bench/internal/strictpop3"
)

const (
	password = "pass"
	// hash is that password at the least cost that the configuration below allows, so that the cost of the hash, which is
	// the same for every account, does not hide everything else.
	hash = "$argon2id$v=19$m=7168,t=1,p=1$cG9zdGFtdCBiZW5jaG1yaw$qi4WyuUINLZQu9WMbvWkpuCA5N19EB7vPytiXDlQazk"
	// sessionTime bounds every session.
	sessionTime = time.Minute
)

// An office is a daemon with so many accounts.
type office struct {
	program, dir string
	pop3, lmtp   string
	accounts     int
	cmd          *exec.Cmd
}

func newOffice(program, dir string, port, accounts int) *office {
	return &office{
		program: program, dir: dir, accounts: accounts,
		pop3: fmt.Sprintf("127.0.0.1:%d", port), lmtp: fmt.Sprintf("127.0.0.1:%d", port+1),
	}
}

func user(n int) string { return fmt.Sprintf("user%06d@example.org", n) }

func (o *office) config() string { return filepath.Join(o.dir, "postamt.toml") }

// make adds the accounts and delivers their mail. It returns the time that adding took, in seconds.
func (o *office) make(ctx context.Context) (float64, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return 0, err
	}
	// The defaults, but for ports, a limit that a load from one address needs, the cost of passwords, and that they are
	// remembered for as long as this lasts.
	text := fmt.Sprintf(`data = %q
hostname = "localhost"
[pop3]
listen = [%q]
listen_tls = []
[lmtp]
listen = [%q]
[limits]
connections_per_address = 1000
[sign_in]
argon2_memory = "7MiB"
argon2_passes = 1
scram = false
remember = "12h"
`, filepath.Join(o.dir, "data"), o.pop3, o.lmtp)
	if err := os.WriteFile(o.config(), []byte(text), 0o600); err != nil {
		return 0, err
	}
	var lines strings.Builder
	for n := range o.accounts {
		fmt.Fprintf(&lines, "%s:%s\n", user(n), hash)
	}
	list := filepath.Join(o.dir, "users")
	if err := os.WriteFile(list, []byte(lines.String()), 0o600); err != nil {
		return 0, err
	}
	begun := time.Now()
	out, err := exec.CommandContext(ctx, o.program, "account", "add", "--from", list, "--config", o.config()).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("account add: %w: %s", err, out)
	}
	added := time.Since(begun).Seconds()
	if err := o.start(ctx); err != nil {
		return 0, err
	}
	return added, errors.Join(o.deliver(), o.stop())
}

func (o *office) start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(o.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the daemon has its own
	o.cmd = exec.Command(o.program, "serve", "--config", o.config())
	o.cmd.Stderr = log
	if err := o.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(sessionTime); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if listens(o.pop3) && listens(o.lmtp) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("the daemon does not listen; see %s", log.Name()), o.stop())
}

func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func (o *office) stop() error {
	kill := time.AfterFunc(time.Minute, func() { _ = o.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(o.cmd.Process.Signal(syscall.SIGTERM), o.cmd.Wait())
}

// atOnce is how many accounts get the same message.
const atOnce = 500

// deliver gives each account its messages over LMTP.
func (o *office) deliver() error {
	c, err := lmtp.Dial(o.lmtp, sessionTime)
	if err != nil {
		return err
	}
	defer c.Close()
	g := mailgen.New(1, 1)
	for i := range messages {
		for first := 0; first < o.accounts; first += atOnce {
			var to []string
			for n := first; n < min(first+atOnce, o.accounts); n++ {
				to = append(to, user(n))
			}
			if err := c.Begin(to...); err != nil {
				return err
			}
			if err := c.Message(g.Message(i, 2000)); err != nil {
				return err
			}
		}
	}
	return c.Quit()
}

func inUse(err error) bool { return err != nil && strings.Contains(err.Error(), "[IN-USE]") }

// poll is one session, as a mail program has it that finds nothing new.
func (o *office) poll(n int, buf []byte) error {
	nc, err := net.DialTimeout("tcp", o.pop3, sessionTime)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(sessionTime))
	c := strictpop3.New(nc, buf)
	if _, err := c.OK(); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	for _, cmd := range []string{"USER " + user(n), "PASS " + password, "CAPA", "STAT", "UIDL", "LIST"} {
		rest, err := c.Cmd(cmd)
		if err != nil {
			return err
		}
		lines := 0
		switch cmd {
		case "STAT":
			if lines, _, err = strictpop3.Stat(rest); err != nil {
				return err
			}
		case "CAPA":
			if _, err := c.Multi(nil); err != nil {
				return err
			}
			continue
		case "UIDL", "LIST":
			var content []byte
			if _, err := c.Multi(func(b []byte) { content = append(content, b...) }); err != nil {
				return err
			}
			if err := strictpop3.EachNumbered(content, func(int, []byte) error { lines++; return nil }); err != nil {
				return err
			}
		default:
			continue
		}
		if lines != messages {
			return fmt.Errorf("%s: %s has %d messages, must be %d", user(n), cmd, lines, messages)
		}
	}
	return c.Quit()
}
