package office

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "open sesame"

// settings returns a configuration with cheap passwords, in a folder of the test's, on ports of the system's choice.
func settings(t *testing.T) *config.Config {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Hostname = "localhost"
	c.Domains = []string{"example.com"}
	free := []string{"127.0.0.1:0"}
	c.POP3.Listen, c.POP3.ListenTLS, c.LMTP.Listen = free, free, free
	c.SignIn.Argon2Memory, c.SignIn.Argon2Passes, c.SignIn.SCRAM = 1<<20, 1, false
	return &c
}

// A running is an office that runs until the end of the test.
type running struct {
	*Office
	t      *testing.T
	mu     sync.Mutex
	next   *config.Config // what Load finds
	loads  error          // or this
	cancel context.CancelFunc
	ended  chan error
}

// start opens and runs an office with an account bob.
func start(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	return startWith(t, cfg, Options{StopTimeout: time.Minute})
}

func startWith(t *testing.T, cfg *config.Config, opt Options) *running {
	t.Helper()
	r := &running{t: t, next: cfg, ended: make(chan error, 1)}
	opt.Load, opt.Version = r.load, "test"
	var err error
	r.Office, err = Open(t.Context(), cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(r.stop)
	if _, err := r.Vault().Accounts.Get(t.Context(), "bob"); err != nil {
		if _, err := r.Vault().Accounts.Add(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		if err := r.Vault().Accounts.SetPassword(t.Context(), "bob", password); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *running) load() (*config.Loaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &config.Loaded{Config: *r.next}, r.loads
}

// change sets what the next reload finds: a copy of what it found last, changed by edit.
func (r *running) change(edit func(*config.Config)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := *r.next
	edit(&c)
	r.next = &c
}

// stop ends the office as SIGTERM does. It may be called before the end of the test.
func (r *running) stop() {
	if r.cancel == nil {
		return
	}
	r.cancel()
	r.cancel = nil
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func (r *running) addr(service string) string { return r.Addresses(service)[0].String() }

// A line is a client of either protocol, to the octet.
type line struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr string) *line {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &line{t, nc, bufio.NewReader(nc)}
}

// say sends lines and checks that the reply to each begins as wanted: pairs of both.
func (l *line) say(pairs ...string) {
	l.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != "" {
			if _, err := fmt.Fprintf(l.nc, "%s\r\n", pairs[i]); err != nil {
				l.t.Fatal(err)
			}
		}
		got, err := l.r.ReadString('\n')
		if !strings.HasPrefix(got, pairs[i+1]) {
			l.t.Fatalf("%q: got %q (%v), want %q", pairs[i], got, err, pairs[i+1])
		}
	}
}

// signIn opens a POP3 session.
func signIn(t *testing.T, addr string) *line {
	t.Helper()
	l := dial(t, addr)
	l.say("", "+OK", "USER bob", "+OK", "PASS "+password, "+OK")
	return l
}

// lhlo opens an LMTP session up to DATA.
func lhlo(t *testing.T, addr string) *line {
	t.Helper()
	l := dial(t, addr)
	l.say("", "220", "LHLO x", "250-", "", "250-", "", "250-", "", "250-", "", "250-", "", "250 ",
		"MAIL FROM:<a@b>", "250", "RCPT TO:<bob@example.com>", "250", "DATA", "354")
	return l
}

func deliver(t *testing.T, addr, text string) {
	t.Helper()
	lhlo(t, addr).say(text+"\r\n.", "250 ")
}

func (l *line) wantEOF() {
	l.t.Helper()
	if rest, err := io.ReadAll(l.r); len(rest) > 0 || err != nil && !errors.Is(err, net.ErrClosed) && !isReset(err) {
		l.t.Errorf("got %q (%v), want the end", rest, err)
	}
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset by peer") }
