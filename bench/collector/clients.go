package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/postamt/postamt/bench/internal/mailgen"
	"github.com/postamt/postamt/bench/internal/strictpop3"
)

// A client drains a mailbox into a Maildir, without TLS, and deletes what it fetched. home is its own.
type client struct {
	name    string
	command func(ctx context.Context, home, maildir, addr, user string) (*exec.Cmd, error)
}

// clients have the settings that their manuals recommend for that.
var clients = []client{{"fetchmail", fetchmail}, {"mpop", mpop}, {"postamt", postamt}}

// fetchmail has no Maildir: a program puts each message into one.
func fetchmail(ctx context.Context, home, maildir, addr, user string) (*exec.Cmd, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	mda := filepath.Join(home, "mda")
	if err := os.WriteFile(mda, fmt.Appendf(nil, "#!/bin/sh\nexec cat >%s/new/$$.fetchmail\n", maildir), 0o700); err != nil {
		return nil, err
	}
	rc := filepath.Join(home, "rc")
	text := fmt.Sprintf("set no bouncemail\nset invisible\npoll 127.0.0.1 service %s protocol pop3 uidl\n"+
		"user %q password %q sslproto \"\" fetchall nokeep no rewrite pass8bits mda %q\n", port, user, password, mda)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "fetchmail", "--fetchmailrc", rc, "--pidfile", filepath.Join(home, "pid"), "--idfile", filepath.Join(home, "ids")), nil
}

func mpop(ctx context.Context, home, maildir, addr, user string) (*exec.Cmd, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	rc := filepath.Join(home, "rc")
	text := fmt.Sprintf("account default\nhost 127.0.0.1\nport %s\nuser %s\npassword %s\nauth user\ntls off\nkeep off\n"+
		"uidls_file %s\ndelivery maildir %s\nreceived_header off\n", port, user, password, filepath.Join(home, "uidls"), maildir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "mpop", "--file", rc, "--quiet"), nil
}

func postamt(ctx context.Context, home, maildir, addr, user string) (*exec.Cmd, error) {
	return postamtWith(ctx, home, maildir, addr, user, "")
}

// postamtWith is postamt fetch with more keys.
func postamtWith(ctx context.Context, home, maildir, addr, user, keys string) (*exec.Cmd, error) {
	secret, conf := filepath.Join(home, "password"), filepath.Join(home, "postamt.toml")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("data = %q\n[[fetch]]\nname = \"bench\"\nurl = \"pop3://%s@%s\"\ntls = \"none\"\npassword = \"file:%s\"\nto = [\"maildir:%s\"]\ntrace = false\n%s",
		filepath.Join(home, "data"), user, addr, secret, maildir, keys)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, *program, "fetch", "--quiet", "--config", conf), nil
}

// checkMail wants all messages in a folder, each whole.
func checkMail(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) != *messages {
		return fmt.Errorf("%d of %d messages came", len(entries), *messages)
	}
	for _, e := range entries {
		msg, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		if !bytes.Contains(msg, []byte("\r\n")) {
			msg = bytes.ReplaceAll(msg, []byte("\n"), []byte("\r\n"))
		}
		if err := mailgen.Check(msg); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// empty wants nothing left on the server.
func empty(addr, user string) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	c := strictpop3.New(nc, make([]byte, 4096))
	if _, err := c.OK(); err != nil {
		return err
	}
	for _, cmd := range []string{"USER " + user, "PASS " + password} {
		if _, err := c.Cmd(cmd); err != nil {
			return err
		}
	}
	rest, err := c.Cmd("STAT")
	if err != nil {
		return err
	}
	left, _, err := strictpop3.Stat(rest)
	if err == nil && left > 0 {
		err = fmt.Errorf("%d messages are left on the server", left)
	}
	if err != nil {
		return err
	}
	_, err = c.Cmd("QUIT") // some servers cut instead of closing
	return err
}
