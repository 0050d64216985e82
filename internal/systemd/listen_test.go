package systemd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("POSTAMT_TEST_CHILD") != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// child is the service in TestSockets: it says its name to the first caller of each socket.
func child() {
	sockets, err := Sockets(os.Getenv, os.Getpid())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(sockets))
	for _, s := range sockets {
		conn, err := s.Accept()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprintln(conn, s.Name)
		conn.Close()
		s.Close()
	}
}

// The real thing: a process that inherits descriptors, as systemd starts it.
func TestSockets(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "l.sock")
	local, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	out, wait := start(t, "pop3:lmtp", file(t, tcp), file(t, local))
	if n := line(t, out); n != "2" {
		t.Fatalf("got %q sockets, want 2", n)
	}
	for _, tt := range []struct{ network, addr, want string }{
		{"tcp", tcp.Addr().String(), "pop3"},
		{"unix", path, "lmtp"},
	} {
		conn, err := net.Dial(tt.network, tt.addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := line(t, bufio.NewReader(conn)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.network, got, tt.want)
		}
		conn.Close()
	}
	wait()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the service removed the unit's socket file: %v", err)
	}
}

func TestSocketsWithoutNames(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	out, wait := start(t, "", file(t, tcp))
	defer wait()
	if n := line(t, out); n != "1" {
		t.Fatalf("got %q sockets, want 1", n)
	}
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := line(t, bufio.NewReader(conn)); got != "unknown" {
		t.Errorf("got %q", got)
	}
}

func TestNotASocket(t *testing.T) {
	t.Parallel()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	out, wait := start(t, "pop3", f)
	defer wait()
	want := "systemd: descriptor 3 (pop3) is not a listening stream socket: use ListenStream= and Accept=no in the socket unit"
	if got := line(t, out); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pid, fds, err string }{
		{"", "", ""},
		{"8", "3", ""}, // for somebody else
		{"7", "0", ""},
		{"7", "", `systemd: LISTEN_FDS="" is not a number of sockets`},
		{"7", "-1", `systemd: LISTEN_FDS="-1" is not a number of sockets`},
		{"7", "257", `systemd: LISTEN_FDS="257" is not a number of sockets`},
	} {
		env := map[string]string{"LISTEN_PID": tt.pid, "LISTEN_FDS": tt.fds}
		sockets, err := Sockets(func(k string) string { return env[k] }, 7)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.err || len(sockets) != 0 {
			t.Errorf("PID %q FDS %q: %d sockets, %q; want %q", tt.pid, tt.fds, len(sockets), got, tt.err)
		}
	}
}

// start runs child with files from descriptor 3 on. The shell sets LISTEN_PID to the number that exec keeps.
func start(t *testing.T, names string, files ...*os.File) (out *bufio.Reader, wait func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), "POSTAMT_TEST_CHILD=1", fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = files
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	return bufio.NewReader(stdout), func() {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func file(t *testing.T, l net.Listener) *os.File {
	t.Helper()
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func line(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	s, err := r.ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return strings.TrimSuffix(s, "\n")
}
