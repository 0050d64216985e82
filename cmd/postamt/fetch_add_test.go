package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/internal/terminal"
	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// An adding is a fetch add in a folder of its own, with a search that finds what the test says.
type adding struct {
	fetchAdd
	dir       string
	out, errs *bytes.Buffer
}

func newAdding(t *testing.T, ca string, found ...discover.Candidate) *adding {
	t.Helper()
	c := &adding{dir: t.TempDir(), out: new(bytes.Buffer), errs: new(bytes.Buffer)}
	a := &app{in: strings.NewReader("open sesame\n"), out: c.out, errs: c.errs}
	a.term, a.notes = terminal.New(c.out, os.Getenv), terminal.New(c.errs, os.Getenv)
	a.configPath = filepath.Join(c.dir, "postamt.toml")
	c.app = a
	c.find = func(context.Context, discover.Address, discover.Options) (*discover.Result, error) {
		return &discover.Result{Candidates: found, Steps: []discover.Step{{Origin: discover.FromSRV, Where: "a record", Problem: "not there"}}}, nil
	}
	c.addFlags = addFlags{to: []string{"store:bob"}, stdin: true, yes: true}
	c.ca = ca
	return c
}

func (c *adding) added(t *testing.T) *config.Fetch {
	t.Helper()
	l, err := config.Load(c.configPath)
	if err != nil || len(l.Fetch) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	return &l.Fetch[0]
}

func (c *adding) nothing(t *testing.T) {
	t.Helper()
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
}

// serveMailbox serves a mailbox over TLS under these names. It returns where, the server's configuration of TLS, and the
// file of its authority.
func serveMailbox(t *testing.T, user string, names ...string) (addr string, secure *tls.Config, ca string) {
	t.Helper()
	cert, _ := pop3test.NewCertificate(t, names...)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	backend := new(pop3mem.Backend)
	if err := backend.AddAccount(user, "open sesame"); err != nil {
		t.Fatal(err)
	}
	secure = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv := pop3server.New(pop3server.Options{Backend: backend, TLSConfig: secure, Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.ServeTLS(l) })
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
	return l.Addr().String(), secure, ca
}

// elsewhere serves a mailbox on this machine and returns its port and the file of its authority.
func elsewhere(t *testing.T, user string) (port int, ca string) {
	t.Helper()
	addr, _, ca := serveMailbox(t, user, "localhost")
	return portOf(t, addr), ca
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	n, err := strconv.Atoi(testpeers.Port(addr))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func local(port int) discover.Candidate {
	return discover.Candidate{
		Protocol: discover.POP3, Host: "localhost", Port: port, TLS: true, Users: []string{"bob@example.net", "bob"}, Origin: discover.FromSRV, Where: "_pop3s._tcp.example.net",
	}
}

// Wrong input is said to be so before anybody is asked anything, never with a password in it, and nothing is written.
func TestFetchAddWrongInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   string // words
		status int
		want   string
	}{
		{"add", 2, "wants EMAIL"},
		{"add bob", 2, `"bob" is not a mail address, write one like bob@example.net`},
		{"add bob@localhost --to store:bob", 2, "has no usable domain behind the @"},
		{"add bob@example.net alice@example.net", 2, "is too much"},
		{"add bob@example.net --server pop3s://pop.example.net --yes", 2, "say where the mail goes: --to store:ACCOUNT"},
		{"add bob@example.net --to store:bob --server https://pop.example.net", 2, "is not a server"},
		{"add bob@example.net --to store:bob --server pop3s://bob:hidden@pop.example.net", 2, "has a password in it"},
		{"add bob@example.net --to nonsense", 2, "cannot add this: fetch[0].to[0]: "},
		{"add bob@example.net --to store:bob --to store:bob", 2, "is listed twice"},
		{"add bob@example.net --to store:bob --name status", 2, "is a command of postamt fetch"},
		{"add bob@example.net --to store:bob --name probe", 2, "is a command of postamt fetch"},
		{"add bob@example.net --to store:bob --name a/b", 2, "cannot be used"},
		{"add bob@example.net --to store:bob --password hidden", 2, "the password itself does not belong here"},
		{"add bob@example.net --to store:bob --oauth work", 2, `there is no [[oauth]] with the name "work"`},
		{"add bob@example.net --to store:bob --password prompt --keyring", 2, "give only one of --password and --keyring"},
		{"add bob@example.net --to store:bob --password prompt --password-stdin", 2, "give only one of --password and --password-stdin"},
		{"add bob@example.net --to store:bob --ca x --pin y", 2, "give only one of --ca and --pin"},
		{"add bob@example.net --to store:bob --json", 2, "--json asks nothing: say --yes or --dry-run, too"},
		{"add bob@example.net --to store:bob --ca /nowhere.pem", 1, "--ca cannot be read"},
		{"add bob@example.net --to store:bob --pin sha256/x", 2, "is not a pin"},
		{"probe", 2, "wants HOST[:PORT]|URL"},
		{"probe https://localhost", 2, "is not a server"},
		{"probe pop3s://bob:hidden@localhost", 2, "has a password in it"},
		{"probe no/host", 2, "is not a server, write HOST, HOST:PORT or pop3s://HOST"},
		{"probe bob@localhost", 2, "is not a server"},
		{"probe localhost:0", 2, "is not a server"},
		{"probe localhost:65536", 2, "is not a server"},
		{"probe [::1", 2, "is not a server"},
		{"probe localhost --timeout 20m", 2, "--timeout must be more than nothing"},
		{"probe localhost --timeout 0s", 2, "--timeout must be more than nothing"},
		{"probe localhost --user a --password hidden", 2, "the password itself does not belong here"},
		{"probe pop3s://bob@localhost --password prompt", 2, "--password is for signing in, say with --user as whom, too"},
		{"probe localhost --pin nonsense", 2, "is not a pin"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "postamt.toml")
		if err := os.WriteFile(path, fmt.Appendf(nil, "data = %q\n", filepath.Join(dir, "data")), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		args := append([]string{"--config", path, "fetch"}, strings.Fields(tt.args)...)
		if status := run(args, strings.NewReader("hidden\n"), &out, &errs); status != tt.status || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: status %d, %s; want %d, %q", tt.args, status, &errs, tt.status, tt.want)
		}
		if out.Len() > 0 || strings.Contains(errs.String(), "hidden") {
			t.Errorf("%s: %s%s", tt.args, &out, &errs)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s: something was written: %v, %v", tt.args, left, err)
		}
	}
}

// The folder of an IMAP server is kept.
func TestFetchAddFolder(t *testing.T) {
	t.Parallel()
	c := newAdding(t, "")
	c.server, c.dryRun = "imaps://imap.example.net/Some%20Box", true
	if err := c.run(t.Context(), "bob@example.net"); err != nil || !strings.Contains(c.out.String(), `+url = "imaps://imap.example.net/Some%20Box"`) {
		t.Errorf("%v\n%s", err, c.out)
	}
	c.nothing(t)
}

func TestProbeTarget(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"pop.example.net":             "pop.example.net [{995 false tls} {110 false stls}]",
		"pop.example.net:995":         "pop.example.net [{995 false }]",
		"imap.example.net:993":        "imap.example.net [{993 true }]",
		"pop3s://bob@pop.example.net": "pop.example.net [{995 false tls}]",
		"pop3://pop.example.net:1110": "pop.example.net [{1110 false stls}]",
		"imap://imap.example.net":     "imap.example.net [{143 true stls}]",
		"127.0.0.1:110":               "127.0.0.1 [{110 false }]",
		"[::1]:995":                   "::1 [{995 false }]",
		"[::1]":                       "::1 [{995 false tls} {110 false stls}]",
		"::1":                         "::1 [{995 false tls} {110 false stls}]",
	} {
		opt, err := probeTarget(arg, false)
		if got := fmt.Sprint(opt.Host, " ", opt.Ports); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", arg, got, err, want)
		}
	}
}

// The address is tried first, and then what stands before the @ (RFC 6186 §4).
func TestFetchAddFindsTheUser(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"bob@example.net", "bob"} {
		port, ca := elsewhere(t, user)
		c := newAdding(t, ca, local(port))
		if err := c.run(t.Context(), "bob@example.net"); err != nil {
			t.Fatal(err, c.errs)
		}
		f := c.added(t)
		if f.User != user || f.Name != "example.net" || f.Server().Host != "localhost" {
			t.Errorf("%+v", f)
		}
		text, err := os.ReadFile(filepath.Join(c.dir, "secrets", "example.net.password"))
		if err != nil || string(text) != "open sesame\n" {
			t.Errorf("%q, %v", text, err)
		}
		file, err := os.ReadFile(c.configPath)
		if err != nil || strings.Contains(string(file)+c.out.String()+c.errs.String(), "sesame") || !strings.Contains(string(file), "# Server found by srv: _pop3s._tcp.example.net.\n") {
			t.Errorf("%s, %v", file, err)
		}
	}
}

// A server that nobody vouches for is not connected to unless a person says yes; --yes does not say so.
func TestFetchAddUnconfirmed(t *testing.T) {
	t.Parallel()
	port, ca := elsewhere(t, "bob")
	stranger := local(port)
	stranger.Confirm = "localhost is not within example.net, and the DNS that names it can be forged"
	c := newAdding(t, ca, stranger)
	err := c.run(t.Context(), "bob@example.net")
	if want := "localhost was not confirmed; if it is right, say --server pop3s://localhost:" + strconv.Itoa(port); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if strings.Contains(c.errs.String(), "signing in") {
		t.Errorf("%s", c.errs)
	}
	c.nothing(t)

	// One that is vouched for comes after it.
	known := local(port)
	known.Where = "the next one"
	c = newAdding(t, ca, stranger, known)
	if err := c.run(t.Context(), "bob@example.net"); err != nil || !strings.Contains(c.out.String(), "the next one") {
		t.Errorf("%v\n%s", err, c.out)
	}
}

// The first that answers is taken; if none does, each is named with its problem.
func TestFetchAddTriesTheNext(t *testing.T) {
	t.Parallel()
	port, ca := elsewhere(t, "bob")
	away := local(1)
	c := newAdding(t, ca, away, local(port))
	if err := c.run(t.Context(), "bob@example.net"); err != nil || c.added(t).Server().Port != strconv.Itoa(port) {
		t.Errorf("%v\n%s", err, c.errs)
	}
	c = newAdding(t, ca, away)
	if err := c.run(t.Context(), "bob@example.net"); err == nil || !strings.Contains(err.Error(), "pop3s://localhost:1: ") {
		t.Errorf("%v", err)
	}
	c.nothing(t)
	c = newAdding(t, ca)
	err := c.run(t.Context(), "bob@example.net")
	if err == nil || !strings.Contains(err.Error(), "no server of example.net was found, name it with --server") || !strings.Contains(c.errs.String(), "  a record: not there\n") {
		t.Errorf("%v\n%s", err, c.errs)
	}
	c.nothing(t)
}

// With OAuth there is no password to try, and the next step is to sign in at the provider.
func TestFetchAddOAuth(t *testing.T) {
	t.Parallel()
	port, ca := elsewhere(t, "bob")
	only := local(port)
	only.OAuth, only.Provider = true, "outlook"
	c := newAdding(t, ca, only)
	if err := c.run(t.Context(), "bob@example.net"); err == nil || !strings.Contains(err.Error(), `takes no passwords, only OAuth: put an [[oauth]] with provider = "outlook"`) {
		t.Errorf("%v", err)
	}
	c.nothing(t)
	c = newAdding(t, ca, only)
	before := "[[oauth]]\nname = \"ms\"\nprovider = \"outlook\"\nclient_id = \"x\"\n"
	if err := os.WriteFile(c.configPath, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	c.stdin, c.oauth, c.asJSON = false, "ms", true
	if err := c.run(t.Context(), "bob@example.net"); err != nil {
		t.Fatal(err, c.errs)
	}
	if f := c.added(t); f.OAuth != "ms" || f.Password != "" {
		t.Errorf("%+v", f)
	}
	var got addResult
	if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || !got.Written || len(got.Next) != 3 || got.Next[0] != "postamt fetch login example.net" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A password that is there already is not written over, and then the configuration is not written either.
func TestFetchAddKeepsPasswords(t *testing.T) {
	t.Parallel()
	port, ca := elsewhere(t, "bob")
	c := newAdding(t, ca, local(port))
	c.user = "bob"
	secrets := filepath.Join(c.dir, "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(secrets, "example.net.password")
	if err := os.WriteFile(taken, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := c.run(t.Context(), "bob@example.net")
	if text, _ := os.ReadFile(taken); err == nil || !strings.Contains(err.Error(), "exists already") || string(text) != "other\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(c.configPath); err == nil {
		t.Error("the configuration was written without the password")
	}
}

// A configuration that cannot be written leaves no password behind.
func TestFetchAddUndoesThePassword(t *testing.T) {
	t.Parallel()
	c := newAdding(t, "")
	c.name = "isp"
	server := local(995)
	plan, err := config.PlanFetch(c.configPath, c.section(&server, "bob", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.configPath, []byte("# somebody else was faster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.commit(t.Context(), plan, &server, "bob", "open sesame"); err == nil || !strings.Contains(err.Error(), "has appeared in the meantime") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Join(c.dir, "secrets")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Debian's Dovecot by POP3, by STLS, and by IMAP where there is nothing else.
func TestFetchAddDovecot(t *testing.T) {
	t.Parallel()
	testpeers.NeedIMAP(t)
	d := testpeers.StartDovecot(t, "", testpeers.DovecotUser{Name: "bob", Password: "open sesame", Messages: [][]byte{[]byte("Subject: x\r\n\r\nHi.\r\n")}})
	secure, stls, imap := local(portOf(t, d.POP3S)), local(portOf(t, d.POP3)), local(portOf(t, d.IMAPS))
	stls.TLS = false
	imap.Protocol = discover.IMAP
	for want, found := range map[string]discover.Candidate{"pop3s": secure, "pop3": stls, "imaps": imap} {
		c := newAdding(t, d.CA, found)
		if err := c.run(t.Context(), "bob@example.net"); err != nil {
			t.Errorf("%s: %v\n%s", want, err, c.errs)
			continue
		}
		if f := c.added(t); f.User != "bob" || !strings.HasPrefix(f.URL, want+"://localhost:") {
			t.Errorf("%s: %+v", want, f)
		}
	}
	if d.Left(t, "bob") != 1 {
		t.Error("the mailbox has changed")
	}
}
