package office

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/control"
	"github.com/postamt/postamt/internal/testpeers"
)

// A session that is open during a reload goes on as if nothing was, also to the deletions at its end.
func TestReloadDropsNoSession(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t))
	deliver(t, r.addr("lmtp"), "one")
	reading := signIn(t, r.addr("pop3"))
	reading.say("DELE 1", "+OK")
	sending := lhlo(t, r.addr("lmtp"))
	before, lmtp := r.addr("pop3"), r.addr("lmtp")

	r.change(func(c *config.Config) { c.POP3.Implementation, c.LMTP.MaxMessage, c.Domains = false, 1<<20, nil })
	if notes, err := r.Reload(t.Context()); err != nil || len(notes) > 0 {
		t.Fatalf("Reload: %v, %v", notes, err)
	}
	if r.addr("pop3") != before {
		t.Errorf("an address that did not change was opened anew: %s, was %s", r.addr("pop3"), before)
	}
	fresh := dial(t, lmtp)
	fresh.say("", "220", "LHLO x", "250-", "", "250-", "", "250-", "", "250-", "", "250-", "", "250 SIZE 1048576\r\n",
		"MAIL FROM:<>", "250", "RCPT TO:<bob@example.com>", "550") // the new settings are in force for new sessions
	sending.say("two\r\n.", "250 ")
	reading.say("NOOP", "+OK", "QUIT", "+OK")
	signIn(t, before).say("STAT", "+OK 1 ")
}

func TestReloadWithAnErrorKeepsEverything(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	r := start(t, cfg)
	pop3, lmtp := r.addr("pop3"), r.addr("lmtp")
	session := signIn(t, pop3)
	good := *cfg
	for name, edit := range map[string]func(*config.Config){
		"port taken":     func(c *config.Config) { c.POP3.Listen = []string{"127.0.0.1:0", taken.Addr().String()} },
		"no certificate": func(c *config.Config) { c.TLS.Certificates = []config.Certificate{{Cert: "/missing", Key: "/missing"}} },
		"no addresses":   func(c *config.Config) { c.POP3.Listen, c.POP3.ListenTLS, c.LMTP.Listen = nil, nil, nil },
		"another folder": func(c *config.Config) { c.Data = t.TempDir() },
	} {
		r.change(func(c *config.Config) { *c = good; edit(c) })
		if _, err := r.Reload(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, number, _ := net.SplitHostPort(pop3)
	r.change(func(c *config.Config) { *c = good; c.POP3.Listen = []string{"0.0.0.0:" + number} })
	if _, err := r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "needs a restart") {
		t.Errorf("an address that overlaps: %v", err)
	}
	r.loads = errors.New("postamt.toml:3: nonsense")
	reply, err := control.Ask(t.Context(), ControlSocket(cfg), control.Request{Op: "reload"})
	if err != nil || reply.Error != "postamt.toml:3: nonsense" {
		t.Errorf("through the socket: %+v, %v; want the daemon's error", reply, err)
	}
	if reply, err = control.Ask(t.Context(), ControlSocket(cfg), control.Request{Op: "dance"}); err != nil || reply.Error == "" {
		t.Errorf("unknown operation: %+v, %v", reply, err)
	}
	session.say("NOOP", "+OK", "QUIT", "+OK")
	deliver(t, lmtp, "one")
	signIn(t, pop3).say("STAT", "+OK 1 ")
}

func TestReloadOpensAndClosesPorts(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.POP3.Listen = []string{testpeers.OwnLoopback() + ":0"}
	r := start(t, cfg)
	old := r.addr("pop3")
	session := signIn(t, old)
	r.change(func(c *config.Config) { c.POP3.Listen = []string{"127.0.0.2:0"} })
	reply, err := control.Ask(t.Context(), ControlSocket(r.next), control.Request{Op: "reload"})
	if err != nil || reply.Error != "" {
		t.Fatalf("%+v, %v", reply, err)
	}
	if c, err := net.Dial("tcp", old); err == nil {
		_ = c.Close()
		t.Error("the former port is still open")
	}
	session.say("QUIT", "+OK")
	signIn(t, r.addr("pop3")).say("QUIT", "+OK")
	if !strings.HasPrefix(r.addr("pop3"), "127.0.0.2:") {
		t.Errorf("listens on %s", r.addr("pop3"))
	}
	r.change(func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0"; c.Store.UndeleteWindow = 1 })
	notes, err := r.Reload(t.Context())
	if err != nil || len(notes) != 2 {
		t.Errorf("what waits for a restart is not told: %q, %v", notes, err)
	}
}

// The memory of wrong guesses survives a reload that does not concern it.
func TestReloadKeepsTheDesk(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t))
	before := r.current.desk
	for range 3 {
		if _, err := r.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r.current.desk != before {
		t.Error("guessing is forgiven by a reload")
	}
	r.change(func(c *config.Config) { c.SignIn.MaxDelay++ })
	if _, err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.current.desk == before {
		t.Error("settings of sign-in are not taken over")
	}
	signIn(t, r.addr("pop3")).say("QUIT", "+OK")
}

// Reloads, deliveries and sessions at the same time: none of them may fail.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t))
	lmtp := r.addr("lmtp")
	ctx, cancel := context.WithCancel(t.Context())
	reloads := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			if _, err := r.Reload(context.Background()); err != nil {
				t.Errorf("Reload: %v", err)
			}
		}
		reloads <- n
	}()
	for range 40 {
		deliver(t, lmtp, "x")
	}
	cancel()
	t.Logf("%d reloads during 40 deliveries", <-reloads)
	signIn(t, r.addr("pop3")).say("STAT", "+OK 40 ", "QUIT", "+OK")
}

func TestPOP3S(t *testing.T) {
	t.Parallel()
	r := start(t, settings(t))
	deliver(t, r.addr("lmtp"), "one")
	l := overTLS(t, r.addr("pop3s"))
	l.say("", "+OK", "USER bob", "+OK", "PASS "+password, "+OK", "STAT", "+OK 1 ")
}

func TestMonitoring(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	r := start(t, cfg)
	deliver(t, r.addr("lmtp"), "one")
	s := signIn(t, r.addr("pop3"))
	s.say("DELE 1", "+OK", "QUIT", "+OK")
	s.wantEOF()
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	get := func(path string) (int, string) {
		resp, err := client.Get("http://" + r.monitor.l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	status, page := get("/healthz")
	if status != http.StatusOK || !strings.Contains(page, "disk") {
		t.Errorf("healthz: %d %q", status, page)
	}
	_, page = get("/metrics")
	for _, want := range []string{`result="stored"} 1`, `mechanism="PASS"`, `kind="delivery"`, `kind="update"`, `command="QUIT"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

// New certificates are shown to those who come, and a session under the old one goes on.
func TestReloadTakesCertificates(t *testing.T) {
	t.Parallel()
	other := settings(t)
	start(t, other) // makes a certificate
	r := start(t, settings(t))
	before := overTLS(t, r.addr("pop3s"))
	before.say("", "+OK", "USER bob", "+OK", "PASS "+password, "+OK")
	file := filepath.Join(other.Data, tlsName, "self-signed.pem") // holds certificate and key
	r.change(func(c *config.Config) { c.TLS.Certificates = []config.Certificate{{Cert: file, Key: file}} })
	if _, err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := overTLS(t, r.addr("pop3s"))
	after.say("", "+OK")
	if leaf(before).Equal(leaf(after)) {
		t.Error("the old certificate is still shown")
	}
	before.say("NOOP", "+OK", "QUIT", "+OK")
}

// overTLS connects to a POP3S port.
func overTLS(t *testing.T, addr string) *line {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // which certificate is shown is what is tested
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return &line{t, c, bufio.NewReader(c)}
}

func leaf(l *line) *x509.Certificate {
	return l.nc.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

func TestRequireTLS(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.POP3.RequireTLS = true
	r := start(t, cfg)
	dial(t, r.addr("pop3")).say("", "+OK", "USER bob", "-ERR", "AUTH SCRAM-SHA-256 biwsbj1ib2Iscj1yT3ByTkdmd0ViZVJXZ2JORWtxTw==", "-ERR", "STAT", "-ERR")
}
