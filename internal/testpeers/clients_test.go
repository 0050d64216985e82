package testpeers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	code := m.Run()
	removeBinary()
	os.Exit(code)
}

// A wire is one of the three ways to connect.
type wire string

const (
	clear wire = "cleartext"
	stls  wire = "STLS"
	pop3s wire = "POP3S"
)

// A job is what a client is asked to do.
type job struct {
	d              *Daemon
	user, password string
	wire           wire
	remove         bool
	dir            string // of the client's own
}

// port is where the client connects to.
func (j job) port() string {
	if j.wire == pop3s {
		return Port(j.d.POP3S)
	}
	return Port(j.d.POP3)
}

// run runs a client's program and fails the test with its output if it fails.
func (j job) run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "HOME="+j.dir, "FETCHMAILHOME="+j.dir, "SSL_CERT_FILE="+j.d.Cert)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s\n%s", name, err, out, errs.String())
	}
	return out
}

// write puts a file into the client's folder and returns its path.
func (j job) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(j.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestClients lets every client fetch the corpus in every way it can.
func TestClients(t *testing.T) {
	t.Parallel()
	clients := []struct {
		name  string
		needs []string
		eol   string
		wires []wire
		fetch func(*testing.T, job) [][]byte
	}{
		{"curl", []string{"curl"}, "\r\n", []wire{clear, stls, pop3s}, curl},
		{"fetchmail", []string{"fetchmail"}, "\n", []wire{clear, stls, pop3s}, fetchmail},
		{"mpop", []string{"mpop"}, "\n", []wire{clear, stls, pop3s}, mpop},
		{"getmail6", []string{"getmail"}, "\n", []wire{clear, pop3s}, getmail}, // knows no STLS
		{"poplib", []string{"python3"}, "\r\n", []wire{clear, stls, pop3s}, poplib},
		{"NetPOP3", []string{"perl"}, "\r\n", []wire{clear, stls, pop3s}, netPOP3},
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			Need(t, c.needs...)
			d := Start(t, "")
			for _, w := range c.wires {
				for _, remove := range []bool{false, true} {
					name := string(w) + "/leave"
					if remove {
						name = string(w) + "/delete"
					}
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						j := job{d: d, user: strings.ReplaceAll(strings.ToLower(name), "/", "-"), password: "correct-horse", wire: w, remove: remove, dir: t.TempDir()}
						fill(t, d, j.user, j.password)
						wantSame(t, c.fetch(t, j), c.eol)
						want := len(corpus)
						if remove {
							want = 0
						}
						if n := left(t, d, j.user, j.password); n != want {
							t.Errorf("%d messages are left on the server, want %d", n, want)
						}
					})
				}
			}
		})
	}
}
