package office

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3client"
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
	cfg.POP3.Listen = []string{testpeers.OwnLoopback() + ":0"}
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
	if _, err := r.Reload(t.Context()); err == nil {
		t.Error("a closed office reloads")
	}
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
		{"address of somebody else", func(c *config.Config) { c.POP3.Listen = []string{"192.0.2.1:110"} }, "pop3.listen: this machine does not have the address 192.0.2.1:110, take one that it has"},
		{"socket is a file", func(c *config.Config) { c.LMTP.Listen = []string{"unix:" + file} }, "is there and no socket"},
		{"no address", func(c *config.Config) { c.POP3.Listen, c.POP3.ListenTLS, c.LMTP.Listen = nil, nil, nil }, "there is no address to listen on, set pop3.listen, pop3.listen_tls or lmtp.listen"},
		{"no folder for the socket", func(c *config.Config) {
			c.LMTP.Listen = []string{"unix:" + filepath.Join(filepath.Dir(file), "no", "x.sock")}
		}, "is not there, make it first"},
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

// What was deleted before the undelete window is swept without anybody asking.
func TestSweep(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Store.UndeleteWindow = 0
	r := start(t, cfg)
	deliver(t, r.addr("lmtp"), "one")
	signIn(t, r.addr("pop3")).say("DELE 1", "+OK", "QUIT", "+OK")
	bob, err := r.Vault().Accounts.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	deleted := func() int {
		u, err := r.Vault().Store.Usage(t.Context(), mailstore.DropID(bob.ID))
		if err != nil {
			t.Fatal(err)
		}
		return u.DeletedMessages
	}
	if deleted() != 1 {
		t.Fatal("nothing to sweep")
	}
	r.stop()
	r = startWith(t, cfg, Options{FirstSweep: 1})
	for deadline := time.Now().Add(20 * time.Second); deleted() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("not swept")
		}
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	v, err := OpenVault(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cfg.Data, catalogName)
	if err := checkOwner(file, os.Geteuid()); err != nil {
		t.Errorf("the owner is refused: %v", err)
	}
	if err := checkOwner(file, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "run this as that user") {
		t.Errorf("somebody else: %v", err)
	}
	if os.Geteuid() == 0 {
		return // root may look into every folder
	}
	if err := os.Chmod(filepath.Dir(file), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(file), 0o700) })
	if err := checkOwner(file, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "run this as that user") {
		t.Errorf("somebody else whose folder is shut: %v", err)
	}
}

// What LMTP took in comes out of RETR with the same octets, but that a bare LF is a line end; LIST tells their number.
func TestOctetsThroughTheHouse(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t))
	lmtp := dial(t, r.addr("lmtp"))
	lmtp.say("", "220", "LHLO x", "250-", "", "250-", "", "250-", "", "250-", "", "250-", "", "250 ")
	rapid.Check(t, func(rt *rapid.T) {
		octet := rapid.SampledFrom([]byte("\r\r\n\n..ab\x00\xff"))
		body := append(rapid.SliceOfN(octet, 0, 60).Draw(rt, "body"), "\r\n"...)
		wire := bytes.ReplaceAll(body, []byte("\r\n."), []byte("\r\n.."))
		if body[0] == '.' {
			wire = append([]byte("."), wire...)
		}
		lmtp.say("MAIL FROM:<>", "250", "RCPT TO:<bob>", "250", "DATA", "354", string(wire)+".", "250 ")

		c, err := pop3client.Dial(t.Context(), r.addr("pop3"), &pop3client.Options{Security: pop3client.Clear, AllowCleartext: true})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if err := c.Login(t.Context(), "bob", password); err != nil {
			rt.Fatal(err)
		}
		num, _, err := c.Stat(t.Context()) // the newest: an attempt that failed leaves its message behind
		if err != nil {
			rt.Fatal(err)
		}
		size, err := c.Size(t.Context(), num)
		if err != nil {
			rt.Fatal(err)
		}
		m, err := c.Retr(t.Context(), num)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := io.ReadAll(m)
		if err != nil {
			rt.Fatal(err)
		}
		if want := kept(body); !bytes.Equal(got, want) || size != int64(len(want)) {
			rt.Fatalf("sent %q, got %q and a size of %d; want %q", body, got, size, want)
		}
		if err := errors.Join(c.Dele(t.Context(), num), c.Quit(t.Context())); err != nil {
			rt.Fatal(err)
		}
	})
}

// kept is the stored form of a message.
func kept(body []byte) (out []byte) {
	for i, c := range body {
		if c == '\n' && (i == 0 || body[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}
