package testpeers

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Daemon is a running `postamt serve` with a folder of its own, on loopback ports of its own.
type Daemon struct {
	// Dir holds everything: configuration, data, log.
	Dir string
	// Config is the path of the configuration file.
	Config string
	// POP3 (with STLS), POP3S and LMTP are addresses, host:port.
	POP3, POP3S, LMTP string
	// Cert is the certificate that clients must trust; it is for localhost.
	Cert string

	bin string
	log *logBuffer
	cmd *exec.Cmd
	end chan error // gets the outcome of cmd
}

// Start starts a daemon with the given lines added to its configuration, waits until it says that it is ready, and stops
// it at the end of the test.
func Start(t testing.TB, config string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	d := &Daemon{
		Dir: dir, Config: filepath.Join(dir, "postamt.toml"), bin: Binary(t), log: &logBuffer{},
		POP3: freePort(t), POP3S: freePort(t), LMTP: freePort(t),
		Cert: filepath.Join(dir, "data", "tls", "self-signed.crt"),
	}
	text := fmt.Sprintf(`data = %q
hostname = "localhost"
%s
[pop3]
listen = [%q]
listen_tls = [%q]

[lmtp]
listen = [%q]

[sign_in]
argon2_memory = "7MiB"
argon2_passes = 1
scram_iterations = 4096
`, filepath.Join(dir, "data"), config, d.POP3, d.POP3S, d.LMTP)
	if err := os.WriteFile(d.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(t)
	t.Cleanup(func() {
		d.Stop(t)
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", d.log)
		}
	})
	return d
}

// run starts the process and waits for READY=1 on its notification socket.
func (d *Daemon) run(t testing.TB) {
	t.Helper()
	sock := filepath.Join(d.Dir, "notify.sock")
	os.Remove(sock)
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: sock, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(d.bin, "serve", "--config", d.Config)
	d.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+sock)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.end = make(chan error, 1)
	go func() {
		d.end <- d.cmd.Wait()
		notify.Close() // nothing more will come
	}()
	notify.SetReadDeadline(time.Now().Add(time.Minute))
	for buf := make([]byte, 4096); ; {
		n, err := notify.Read(buf)
		if err != nil {
			d.cmd.Process.Kill()
			t.Fatalf("postamt serve did not become ready: %v (%v)\n%s", err, <-d.end, d.log)
		}
		if strings.Contains(string(buf[:n]), "READY=1") {
			notify.SetReadDeadline(time.Time{})
			return
		}
	}
}

// Stop ends the daemon with SIGTERM, and fails the test if it does not end well.
func (d *Daemon) Stop(t testing.TB) {
	t.Helper()
	if d.cmd == nil {
		return
	}
	d.cmd.Process.Signal(os.Interrupt)
	if err := <-d.end; err != nil {
		t.Errorf("postamt serve ended badly: %v\n%s", err, d.log)
	}
	d.cmd = nil
}

// Run runs a subcommand of postamt on the daemon's configuration and returns its standard output.
func (d *Daemon) Run(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.bin, append(args, "--config", d.Config)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("postamt %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

// Port returns the port of an address.
func Port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// ports are handed out from below the range from which the kernel takes those of outgoing connections, each once, so that
// nobody else has one by the time its server listens.
var ports = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(portCount))
	return &n
}()

const (
	firstPort = 10_000
	portCount = 22_000
)

// freePort returns an address on loopback for a server that is about to be started.
func freePort(t testing.TB) string {
	t.Helper()
	for range portCount {
		if port, err := keepPort(t, int(firstPort+ports.Add(1)%portCount)); err == nil {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// A logBuffer keeps the first 256 KiB of what is written.
type logBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p[:min(len(p), max(0, 256<<10-len(l.b)))]...)
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}
