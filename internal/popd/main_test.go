package popd_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/faultfs"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An office is a whole post office without its front door: catalog, bodies, accounts, store and what joins them.
type office struct {
	t       testing.TB
	folder  string
	catalog *catalog.DB
	disk    *faultfs.FS
	dir     *account.SQLDirectory
	guard   *account.Guard
	store   mailstore.Store
	backend *popd.Backend
	close   func() // all but what openOffice was given

	addr  string           // of the server
	alice mailstore.DropID // the maildrop of alice
	log   *strings.Builder // of server and guard; to be read when the server has stopped
	stop  func()           // stops the server
}

// settings change an office from what is usual.
type settings struct {
	guard   account.GuardOptions
	keep    account.Keep
	options func(*popd.Options)
	server  func(*pop3server.Options)
}

// openOffice opens the office in a folder, which may be empty.
func openOffice(t testing.TB, folder string, set settings) *office {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o := &office{t: t, folder: folder}
	var err error
	o.catalog, err = catalog.Open(ctx, filepath.Join(folder, "catalog.db"), catalog.Options{})
	must(err)
	o.disk, err = faultfs.New(filepath.Join(folder, "bodies"))
	must(err)
	o.store, err = sqlstore.Open(ctx, o.catalog, body.NewDisk(o.disk, body.Options{}), filepath.Join(folder, "locks"), sqlstore.Options{})
	must(err)
	hasher, err := account.NewHasher(account.HasherOptions{Argon2: account.Argon2{Memory: 64 << 10, Passes: 1}})
	must(err)
	o.dir, err = account.NewSQLDirectory(ctx, o.catalog, account.SQLOptions{
		Domains: []string{"example.org"}, Hasher: hasher, Keep: set.keep,
	})
	must(err)
	o.guard = account.NewGuard(o.dir, set.guard)
	opt := popd.Options{Store: o.store, SignIn: o.guard, SCRAM: true}
	if set.options != nil {
		set.options(&opt)
	}
	o.backend = popd.New(opt)
	o.close = sync.OnceFunc(func() {
		o.guard.Close()
		if err := errors.Join(o.store.Close(), o.catalog.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(o.close)
	return o
}

// newOffice opens an office with the accounts alice (password "tanstaaf") and bob (disabled, "tanstaaf") and serves it on
// a free loopback port.
func newOffice(t *testing.T, set settings) *office {
	t.Helper()
	log := new(strings.Builder)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	set.guard.Log = logger
	o := openOffice(t, t.TempDir(), set)
	o.log = log
	o.alice = o.account("alice", "tanstaaf")
	o.account("bob", "tanstaaf")
	if err := o.dir.SetDisabled(context.Background(), "bob", true); err != nil {
		t.Fatal(err)
	}
	opt := pop3server.Options{Backend: o.backend, Cleartext: pop3server.CleartextLoopback, Logger: logger}
	if set.server != nil {
		set.server(&opt)
	}
	server := pop3server.New(opt)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = ln.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln)
	}()
	o.stop = sync.OnceFunc(func() {
		_ = server.Close()
		<-served
	})
	t.Cleanup(o.stop)
	return o
}

// standing returns a clock that stands still: no delay of the throttle ends while a test is slow.
func standing() func() time.Time {
	now := time.Now()
	return func() time.Time { return now }
}

// account makes an account.
func (o *office) account(name, password string) mailstore.DropID {
	o.t.Helper()
	a, err := o.dir.Add(context.Background(), name)
	if err == nil {
		err = o.dir.SetPassword(context.Background(), name, password)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return mailstore.DropID(a.ID)
}

// deliver delivers messages to alice.
func (o *office) deliver(texts ...string) {
	o.t.Helper()
	for _, text := range texts {
		if err := o.deliverTo(o.alice, text); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *office) deliverTo(drop mailstore.DropID, text string) error {
	d, err := o.store.Begin(context.Background(), mailstore.Envelope{Sender: "sender@example.com"})
	if err != nil {
		return err
	}
	defer d.Abort()
	if _, err := io.WriteString(d, text); err != nil {
		return err
	}
	_, err = d.Commit(context.Background(), []mailstore.Recipient{{Drop: drop}})
	return err
}

// A client speaks POP3 by hand.
type client struct {
	t testing.TB
	net.Conn
	r        *bufio.Reader
	greeting string
}

// connect connects and reads the greeting.
func (o *office) connect() *client {
	o.t.Helper()
	nc, err := net.Dial("tcp", o.addr)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		o.t.Fatal(err)
	}
	c := &client{t: o.t, Conn: nc, r: bufio.NewReader(nc)}
	c.greeting = c.line()
	return c
}

// line reads a line, and returns it without its end.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasSuffix(line, "\r\n") {
		c.t.Fatalf("read %q: %v", line, err)
	}
	return line[:len(line)-2]
}

// do sends a command and returns the first line of the reply.
func (c *client) do(command string) string {
	c.t.Helper()
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// want sends a command and compares the first line of the reply.
func (c *client) want(command, want string) {
	c.t.Helper()
	if got := c.do(command); got != want {
		c.t.Errorf("%s\n got %s\nwant %s", command, got, want)
	}
}

// ok sends a command that must succeed.
func (c *client) ok(command string) string {
	c.t.Helper()
	got := c.do(command)
	if !strings.HasPrefix(got, "+OK") {
		c.t.Errorf("%s: %s", command, got)
	}
	return got
}

// lines reads the rest of a multi-line reply as it is, byte-stuffed.
func (c *client) lines() []string {
	c.t.Helper()
	var all []string
	for line := c.line(); line != "."; line = c.line() {
		all = append(all, line)
	}
	return all
}

// signIn signs in as alice.
func (c *client) signIn() *client {
	c.t.Helper()
	c.ok("USER alice")
	c.ok("PASS tanstaaf")
	return c
}

// hangUp closes the connection without QUIT.
func (c *client) hangUp() { _ = c.Close() }

// auth runs a whole SASL exchange and returns the last line of the server.
func (c *client) auth(m sasl.Client) string {
	c.t.Helper()
	mech, ir, err := m.Start()
	if err != nil {
		c.t.Fatal(err)
	}
	line := "AUTH " + mech
	if ir != nil {
		line += " " + sasl.EncodeInitialResponse(ir)
	}
	for line = c.do(line); strings.HasPrefix(line, "+ "); {
		challenge, err := sasl.DecodeBase64([]byte(line[2:]))
		if err != nil {
			c.t.Fatalf("challenge %q: %v", line, err)
		}
		response, err := m.Next(challenge)
		if err != nil {
			c.t.Fatal(err)
		}
		line = c.do(sasl.EncodeBase64(response))
	}
	return line
}
