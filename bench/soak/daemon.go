package main

import (
	"bytes"
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
)

// A daemon is the real one, with a data folder and ports of its own.
type daemon struct {
	program, dir string
	cmd          *exec.Cmd
	log          *os.File

	pop3, pop3s, extra, lmtp, metrics string // addresses; extra comes and goes
}

func newDaemon(program, dir string, port int) *daemon {
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", port+i) }
	return &daemon{program: program, dir: dir, pop3: at(0), pop3s: at(1), lmtp: at(2), metrics: at(3), extra: at(4)}
}

func (d *daemon) data() string { return filepath.Join(d.dir, "data") }

// configure writes the configuration: the defaults, but for ports, limits that a load from one address needs, and a short
// time in which deleted messages can be brought back, so that the store removes some for good, too.
func (d *daemon) configure(extra bool) error {
	listen := fmt.Sprintf("%q", d.pop3)
	if extra {
		listen += fmt.Sprintf(", %q", d.extra)
	}
	text := fmt.Sprintf(`data = %q
hostname = "localhost"
[pop3]
listen = [%s]
listen_tls = [%q]
[lmtp]
listen = [%q]
[metrics]
listen = %q
[limits]
connections_per_address = 5000
[store]
undelete_window = "1m"
sweep_interval = "1m"
`, d.data(), listen, d.pop3s, d.lmtp, d.metrics)
	name := filepath.Join(d.dir, "postamt.toml")
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (d *daemon) start(ctx context.Context) error {
	var err error
	if d.log, err = os.Create(filepath.Join(d.dir, "log")); err != nil {
		return err
	}
	d.cmd = exec.Command(d.program, "serve", "--config", filepath.Join(d.dir, "postamt.toml"))
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if c, err := net.Dial("tcp", d.pop3); err == nil {
			return c.Close()
		}
		if !pause(ctx, 50*time.Millisecond) {
			break
		}
	}
	return fmt.Errorf("the daemon does not listen; see %s", d.log.Name())
}

// command runs a command of postamt with the same data.
func (d *daemon) command(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.program, append(args, "--config", filepath.Join(d.dir, "postamt.toml"))...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("postamt %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

func (d *daemon) addAccount(ctx context.Context, user string) error {
	_, err := d.command(ctx, password+"\n", "account", "add", "--password-stdin", user)
	return err
}

// hangup asks for a reload as kill -HUP does.
func (d *daemon) hangup() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// stop ends the daemon as systemd does and wants it to end well, and no errors in its log.
func (d *daemon) stop() error {
	if d.cmd == nil || d.cmd.Process == nil || d.cmd.ProcessState != nil {
		return nil
	}
	err := d.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(time.Minute, func() { _ = d.cmd.Process.Kill() })
	defer kill.Stop()
	if e := d.cmd.Wait(); e != nil {
		err = errors.Join(err, fmt.Errorf("the daemon ended with: %w", e))
	}
	log, e := os.ReadFile(d.log.Name())
	err = errors.Join(err, e, d.log.Close())
	for line := range strings.SplitSeq(string(log), "\n") {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			return errors.Join(err, fmt.Errorf("the daemon's log has: %s", line))
		}
	}
	return err
}

// pause waits; false means that ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
