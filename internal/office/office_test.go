package office

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/config"
)

func TestMailGoesThroughAndStays(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	r := start(t, cfg)
	deliver(t, r.addr("lmtp"), "Subject: one\r\n\r\n..dots")
	first := signIn(t, r.addr("pop3"))
	first.say("STAT", "+OK 1 23\r\n", "UIDL 1", "+OK 1 ", "QUIT", "+OK")
	r.stop()

	r = start(t, cfg)
	signIn(t, r.addr("pop3")).say("RETR 1", "+OK", "", "Subject: one", "", "\r\n", "", "..dots", "", ".\r\n", "DELE 1", "+OK", "QUIT", "+OK")
	signIn(t, r.addr("pop3")).say("STAT", "+OK 0 0\r\n")
}

func TestOneDaemonForEachFolder(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	r := start(t, cfg)
	_, err := Open(t.Context(), cfg, Options{})
	if _, ok := errors.AsType[*RunningError](err); !ok || !strings.Contains(err.Error(), "process "+pid()) {
		t.Errorf("second daemon: %v, want a RunningError with our process id", err)
	}
	deliver(t, r.addr("lmtp"), "still here")
	// Commands work beside it.
	v, err := OpenVault(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Accounts.Add(t.Context(), "anna"); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Vault().Accounts.Get(t.Context(), "anna"); err != nil {
		t.Errorf("the daemon does not know of the new account: %v", err)
	}
}

func pid() string {
	b, _ := os.ReadFile("/proc/self/stat")
	id, _, _ := strings.Cut(string(b), " ")
	return id
}

// Stopping: idle sessions end, marks without QUIT are dropped, a message in the middle is taken in.
func TestStop(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	r := start(t, cfg)
	deliver(t, r.addr("lmtp"), "one")
	marked := signIn(t, r.addr("pop3"))
	marked.say("DELE 1", "+OK")
	sending := lhlo(t, r.addr("lmtp"))
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	marked.wantEOF()
	sending.say("two\r\n.", "250 ")
	<-stopped
	if _, err := net.Dial("tcp", r.addr("pop3")); err == nil {
		t.Error("the port is still open")
	}
	r = start(t, cfg)
	signIn(t, r.addr("pop3")).say("STAT", "+OK 2 ")
}

// A session that does not end is cut when the time is over, and nothing of it is done.
func TestStopCutsWhoDoesNotFinish(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	r := startWith(t, cfg, Options{StopTimeout: 1})
	sending := lhlo(t, r.addr("lmtp"))
	if _, err := sending.nc.Write([]byte("a message that has begun and does not end\r\n")); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = start(t, cfg)
	signIn(t, r.addr("pop3")).say("STAT", "+OK 0 ")
}

func TestOpenFailsCleanly(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		edit func(*config.Config)
		want string
	}{
		{"port taken", func(c *config.Config) { c.POP3.ListenTLS = []string{taken.Addr().String()} }, "pop3.listen_tls: another program listens on 127.0.0.1:"},
		{"metrics port taken", func(c *config.Config) { c.Metrics.Listen = taken.Addr().String() }, "metrics.listen: another program"},
		{"address of somebody else", func(c *config.Config) { c.POP3.Listen = []string{"192.0.2.1:110"} }, "pop3.listen: cannot listen on 192.0.2.1:110"},
		{"socket is a file", func(c *config.Config) { c.LMTP.Listen = []string{"unix:" + file} }, "is there and no socket"},
		{"no address", func(c *config.Config) { c.POP3.Listen, c.POP3.ListenTLS, c.LMTP.Listen = nil, nil, nil }, "there is no address to listen on"},
		{"data is a file", func(c *config.Config) { c.Data = file }, "data"},
		{"no certificate", func(c *config.Config) { c.TLS.Certificates = []config.Certificate{{Cert: file, Key: file}} }, file},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := settings(t)
			bad := *good
			tt.edit(&bad)
			if _, err := Open(t.Context(), &bad, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			start(t, good) // nothing is in the way of a better try
		})
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	path := filepath.Join(t.TempDir(), "lmtp.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}) // left over from a crash
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	cfg.LMTP.Listen, cfg.LMTP.SocketMode = []string{"unix:" + path}, "0620"
	r := start(t, cfg)
	mode := func() os.FileMode {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	if mode() != 0o620 {
		t.Errorf("mode %o, want 620", mode())
	}
	deliver(t, path, "over the socket")
	r.change(func(c *config.Config) { c.LMTP.SocketMode = "0600" })
	if _, err := r.Reload(t.Context()); err != nil || mode() != 0o600 {
		t.Errorf("after a reload: mode %o, %v", mode(), err)
	}
	deliver(t, path, "and again")
	other := *cfg
	other.Data = filepath.Join(t.TempDir(), "other")
	if _, err := Open(t.Context(), &other, Options{}); err == nil || !strings.Contains(err.Error(), "another program listens") {
		t.Errorf("a socket in use was taken over: %v", err)
	}
	r.stop()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left over: %v", err)
	}
}
