package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/smtpclient"
	"github.com/postamt/postamt/internal/terminal"
)

const (
	domain     = "example.com"
	configName = "postamt.toml"
	// marker is a file that says that a folder is a demo's, so that no real post office is ever filled with samples.
	marker = "this-is-a-demo"
)

// Options say what Run does. Out, Terminal and Command are required.
type Options struct {
	// Dir is the folder to work in; empty means a temporary one, which is removed at the end.
	Dir string
	// Once ends the demo after the check.
	Once bool
	// Out is where everything is told, and Terminal is the same for tables and progress.
	Out      io.Writer
	Terminal *terminal.Terminal
	// Command is how a person runs postamt, for the lines to paste.
	Command string
	// Version is what the server says it is.
	Version string
}

// ErrMismatch says that something that was picked up was not what was handed in.
var ErrMismatch = errors.New("what was picked up is not what was handed in")

// A show is one run.
type show struct {
	Options
	folder    string
	office    *office.Office
	passwords map[string]string
	pop3      string // host:port
	pop3s     string
	lmtp      string
}

// Run runs the demo until ctx ends or, with Once, until everything was checked. It returns nil if all octets matched.
func Run(ctx context.Context, opt Options) (err error) {
	s := &show{Options: opt, passwords: make(map[string]string)}
	cleanup, err := s.makeFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cleanup()) }()
	if err := s.open(ctx); err != nil {
		return err
	}
	var served error
	var running sync.WaitGroup
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	running.Go(func() { defer close(ended); served = s.office.Run(serving) })
	defer func() {
		stop()
		running.Wait()
		err = errors.Join(err, served)
	}()

	if err := s.perform(ctx); err != nil || s.Once {
		if ctx.Err() != nil {
			err = nil // Ctrl-C is how a demo ends
		}
		return err
	}
	s.say("\nThe post office stays open for your own tries. Ctrl-C closes it.\n")
	select {
	case <-ctx.Done():
		s.say("\nClosing.\n")
	case <-ended:
	}
	return nil
}

// perform is the part that ends: accounts, mail in, settings, mail out.
func (s *show) perform(ctx context.Context) error {
	if err := s.makeAccounts(ctx); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	messages := Messages()
	if err := s.handIn(ctx, messages); err != nil {
		return fmt.Errorf("mail in: %w", err)
	}
	s.tellSettings()
	matched := true
	for _, user := range []string{anna, ben} {
		ok, err := s.pickUp(ctx, user, forUser(messages, user))
		if err != nil {
			return fmt.Errorf("mail out: %w", err)
		}
		matched = matched && ok
	}
	if !matched {
		return ErrMismatch
	}
	return nil
}

func (s *show) say(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format, args...) }

// makeFolder makes or checks the folder and returns what is to be done with it at the end.
func (s *show) makeFolder() (cleanup func() error, err error) {
	if s.Dir == "" {
		if s.folder, err = os.MkdirTemp("", "postamt-demo-"); err != nil {
			return nil, err
		}
		return func() error { return os.RemoveAll(s.folder) }, nil
	}
	if s.folder, err = filepath.Abs(s.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(s.folder, marker)); errors.Is(err, fs.ErrNotExist) && len(entries) > 0 {
		return nil, fmt.Errorf("%s is neither empty nor the folder of a former demo, name another one with --dir", s.folder)
	}
	note := "The folder of a `postamt demo`. It can be deleted as a whole.\n"
	return func() error { return nil }, os.WriteFile(filepath.Join(s.folder, marker), []byte(note), 0o600)
}

// open opens the office on free ports and writes its configuration, with these ports, for other commands.
func (s *show) open(ctx context.Context) error {
	cfg := config.Default()
	cfg.Data = filepath.Join(s.folder, "data")
	cfg.Hostname = "localhost"
	cfg.Domains = []string{domain}
	free := []string{"127.0.0.1:0"}
	cfg.POP3.Listen, cfg.POP3.ListenTLS, cfg.LMTP.Listen = free, free, free
	var err error
	if s.office, err = office.Open(ctx, &cfg, office.Options{Version: s.Version}); err != nil {
		return err
	}
	first := func(service string) string { return s.office.Addresses(service)[0].String() }
	s.pop3, s.pop3s, s.lmtp = first("pop3"), first("pop3s"), first("lmtp")
	cfg.POP3.Listen, cfg.POP3.ListenTLS, cfg.LMTP.Listen = []string{s.pop3}, []string{s.pop3s}, []string{s.lmtp}
	var text strings.Builder
	if err := cfg.Show(&text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.folder, configName), []byte(text.String()), 0o600)
}

// makeAccounts makes the accounts, or gives those of a former run new passwords.
func (s *show) makeAccounts(ctx context.Context) error {
	accounts := s.office.Vault().Accounts
	for _, user := range []string{anna, ben} {
		if _, err := accounts.Add(ctx, user); err != nil && !errors.Is(err, account.ErrExists) {
			return err
		}
		s.passwords[user] = account.GeneratePassword()
		if err := accounts.SetPassword(ctx, user, s.passwords[user]); err != nil {
			return err
		}
	}
	return nil
}

// handIn delivers the samples over LMTP.
func (s *show) handIn(ctx context.Context, messages []Message) (err error) {
	var octets int64
	for _, m := range messages {
		octets += int64(len(m.Raw))
	}
	c, err := smtpclient.Dial(ctx, smtpclient.Options{Addr: s.lmtp, LMTP: true, Security: smtpclient.Cleartext, Timeout: handInTimeout})
	if err != nil {
		return err
	}
	defer c.Watch(ctx)()
	bar := s.Terminal.Progress(fmt.Sprintf("handing in %d messages over LMTP", len(messages)), octets, terminal.Octets)
	defer bar.Done()
	for _, m := range messages {
		if err := send(c, m); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", m.Kind, err), c.Close())
		}
		bar.Add(int64(len(m.Raw)))
	}
	return c.Quit()
}

// handInTimeout bounds each exchange.
const handInTimeout = 30 * time.Second

// send hands one message in and returns when the server has it safe for all recipients.
func send(c *smtpclient.Conn, m Message) error {
	if err := c.Mail(m.From); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := c.Rcpt(to + "@" + domain); err != nil {
			return err
		}
	}
	data, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(m.Raw); err != nil {
		return err
	}
	answers, err := data.Finish(len(m.To))
	return errors.Join(append(answers, err)...)
}

func (s *show) certificate() string { return filepath.Join(s.folder, "data", "tls", "self-signed.crt") }

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

func forUser(messages []Message, user string) []Message {
	var mine []Message
	for _, m := range messages {
		for _, to := range m.To {
			if to == user {
				mine = append(mine, m)
			}
		}
	}
	return mine
}
