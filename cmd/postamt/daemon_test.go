package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon is `postamt serve` as a process of its own, on a data folder that outlives it.
type daemon struct {
	dir, config string
	env         []string   // added to its environment
	files       []*os.File // from descriptor 3 on, as systemd passes sockets

	cmd  *exec.Cmd
	pop3 string
	lmtp string
	log  chan string // everything it wrote, when it has ended
}

// cheap is a configuration whose passwords cost as little as is allowed, on ports of the system's choice.
const cheap = `hostname = "localhost"
[pop3]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:0"]
[lmtp]
listen = ["127.0.0.1:0"]
[sign_in]
argon2_memory = "7MiB"
argon2_passes = 1
scram = false
[log]
format = "json"
`

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{dir: dir, config: filepath.Join(dir, "postamt.toml")}
	d.configure(t, "")
	return d
}

// configure writes the configuration, with some keys of the top level added.
func (d *daemon) configure(t *testing.T, add string) {
	t.Helper()
	text := fmt.Sprintf("data = %q\n%s\n%s", filepath.Join(d.dir, "data"), add, cheap)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// postamt runs a command beside the daemon and returns what it printed.
func (d *daemon) postamt(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("postamt", append(args, "--config", d.config)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *daemon) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := d.postamt(t, stdin, args...)
	if err != nil {
		t.Fatalf("postamt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// start starts the daemon and returns when its ports are open.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	args := []string{"postamt", "serve", "--config", d.config}
	if len(d.files) > 0 { // LISTEN_PID is that of the process that is to take the sockets
		args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, args...)
	}
	d.cmd = exec.Command(args[0], args[1:]...)
	d.cmd.Env, d.cmd.ExtraFiles = append(os.Environ(), d.env...), d.files
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addrs := make(chan map[string]string, 1)
	d.log = make(chan string, 1)
	go d.follow(stderr, addrs)
	select {
	case a := <-addrs:
		d.pop3, d.lmtp = a["pop3"], a["lmtp"]
	case <-time.After(time.Minute):
	}
	if d.pop3 == "" || d.lmtp == "" {
		_ = d.cmd.Process.Kill()
		t.Fatalf("postamt serve did not open its ports:\n%s", <-d.log)
	}
}

// follow reads the log to its end, and tells the addresses once all are there.
func (d *daemon) follow(r io.Reader, addrs chan<- map[string]string) {
	var all strings.Builder
	open := make(map[string]string)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Service, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "open" {
			open[line.Service] = line.Addr
			if open["pop3"] != "" && open["pop3s"] != "" && open["lmtp"] != "" && addrs != nil {
				addrs <- maps.Clone(open)
				addrs = nil
			}
		}
	}
	select {
	case addrs <- nil: // it ended before
	default:
	}
	d.log <- all.String()
}

// end ends the daemon with a signal and returns its log and how it ended.
func (d *daemon) end(t *testing.T, sig syscall.Signal) (log string, err error) {
	t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	log = <-d.log
	return log, d.cmd.Wait()
}

// stop ends the daemon as an operator does, which must go well.
func (d *daemon) stop(t *testing.T) string {
	t.Helper()
	log, err := d.end(t, syscall.SIGTERM)
	if err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, log)
	}
	return log
}
