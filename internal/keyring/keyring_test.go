package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	ss "github.com/zalando/go-keyring/secret_service"
	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/keyring"
	"github.com/postamt/postamt/internal/testpeers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	ctx, ring := context.Background(), keyring.Open()
	password, err := ring.Get(ctx, "postamt", "bob@pop.example.net")
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		fmt.Println("put it there first")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("it has", len(password), "octets")
	}
}

// A real gnome-keyring keeps, replaces, finds and forgets secrets, also long ones and strange ones.
func TestSecretService(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	ctx, ring := t.Context(), keyring.Open()
	if _, err := ring.Get(ctx, "postamt", "bob"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	if err := ring.Delete(ctx, "postamt", "bob"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("deleting nothing: %v", err)
	}
	for _, secret := range []string{"sesame", "another", "\x00\xff not UTF-8 \n", strings.Repeat("x", keyring.MaxSecret)} {
		if err := ring.Set(ctx, "postamt", "bob", secret); err != nil {
			t.Fatal(err)
		}
		if got, err := ring.Get(ctx, "postamt", "bob"); got != secret || err != nil {
			t.Errorf("got %.20q, %v, want %.20q", got, err, secret)
		}
	}
	if err := ring.Set(ctx, "postamt", "eve", "hers"); err != nil {
		t.Fatal(err)
	}
	if err := ring.Delete(ctx, "postamt", "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Get(ctx, "postamt", "bob"); !errors.Is(err, keyring.ErrNotFound) || !strings.Contains(err.Error(), `"bob"`) {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := ring.Get(ctx, "other", "eve"); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("another service: %v", err)
	}
	if got, err := ring.Get(ctx, "postamt", "eve"); got != "hers" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Others find what we keep: these are the attributes that go-keyring writes.
func TestAttributes(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	if err := keyring.Open().Set(t.Context(), "postamt", "bob", "sesame"); err != nil {
		t.Fatal(err)
	}
	service, err := ss.NewSecretService()
	if err != nil {
		t.Fatal(err)
	}
	_ = service.GetLoginCollection() // first, as carryOut does
	for user, want := range map[string]bool{"bob": true, "eve": false} {
		call := service.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").Call(
			"org.freedesktop.Secret.Service.SearchItems", 0, map[string]string{"service": "postamt", "username": user})
		if got := strings.Contains(fmt.Sprint(call.Body), "/org/freedesktop/secrets/collection/login/"); call.Err != nil || got != want {
			t.Errorf("%s: %v\n%v", user, call.Err, call.Body)
		}
	}
	if err := service.Conn.Close(); err != nil {
		t.Error(err)
	}
}

// A secret of another program's that is too long is not taken.
func TestLongSecret(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	service, err := ss.NewSecretService()
	if err != nil {
		t.Fatal(err)
	}
	_ = service.GetLoginCollection() // first, as carryOut does
	session, err := service.OpenSession()
	if err != nil {
		t.Fatal(err)
	}
	long := ss.NewSecret(session.Path(), strings.Repeat("x", keyring.MaxSecret+1))
	err = service.CreateItem(service.GetLoginCollection(), "long", map[string]string{"service": "postamt", "username": "bob"}, long)
	if err := errors.Join(err, service.Conn.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open().Get(t.Context(), "postamt", "bob"); err == nil || !strings.Contains(err.Error(), "more than 65536 octets") {
		t.Errorf("got %v", err)
	}
}

func TestTogether(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			ring, user := keyring.Open(), fmt.Sprint("user", i)
			if err := ring.Set(t.Context(), "postamt", user, user); err != nil {
				t.Error(err)
			}
			if got, err := ring.Get(t.Context(), "postamt", user); got != user || err != nil {
				t.Errorf("%s: %q, %v", user, got, err)
			}
		})
	}
	all.Wait()
}

// OpenSession is not the first that the keyring hears of a caller: gnome-keyring crashes if it loses who that is.
func TestSessionIsNotTheFirst(t *testing.T) {
	testpeers.StartKeyring(t, "pw")
	bus := strings.TrimPrefix(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), "unix:path=")
	between := bus + ".between"
	l, err := net.Listen("unix", between)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+between)
	heard := make(chan string, 1)
	go func() {
		var said bytes.Buffer
		defer func() { heard <- said.String() }()
		client, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		far, err := net.Dial("unix", bus)
		if err != nil {
			t.Error(err)
			return
		}
		var back sync.WaitGroup
		back.Go(func() { _, _ = io.Copy(client, far) })
		_, _ = io.Copy(io.MultiWriter(far, &said), client)
		_ = far.Close()
		back.Wait()
	}()
	if _, err := keyring.Open().Get(t.Context(), "postamt", "bob"); !errors.Is(err, keyring.ErrNotFound) {
		t.Error(err)
	}
	_ = l.Close()
	said := <-heard
	first, session := strings.Index(said, "org.freedesktop.secrets"), strings.Index(said, "OpenSession")
	if first < 0 || session < 0 || !strings.Contains(said[first:session], "Collections") {
		t.Errorf("the keyring was told: %q", said)
	}
}

// A keyring that nobody unlocks says so.
func TestLocked(t *testing.T) {
	testpeers.StartKeyring(t, "")
	ring := keyring.Open()
	if _, err := ring.Get(t.Context(), "postamt", "bob"); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("Get: %v", err)
	}
	if err := ring.Set(t.Context(), "postamt", "bob", "sesame"); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("Set: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	addresses := []string{"unix:path=" + filepath.Join(t.TempDir(), "none")}
	if _, err := os.Stat(fmt.Sprint("/run/user/", os.Getuid())); err != nil { // there is no desktop that would be found
		addresses = append(addresses, "", "autolaunch:")
	}
	for _, address := range addresses {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if _, err := keyring.Open().Get(t.Context(), "postamt", "bob"); !errors.Is(err, keyring.ErrUnreachable) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A keyring that does not answer is waited for as long as the context and Timeout say, and asked anew the next time.
func TestHanging(t *testing.T) {
	daemon, ring := testpeers.StartKeyring(t, "pw"), keyring.Open()
	if err := ring.Set(t.Context(), "postamt", "bob", "sesame"); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := ring.Get(ctx, "postamt", "bob"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "in time") {
		t.Errorf("hanging: %v", err)
	}
	if _, err := keyring.OpenFor(100*time.Millisecond).Get(t.Context(), "postamt", "bob"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging for longer than Timeout: %v", err)
	}
	if err := daemon.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Get(t.Context(), "postamt", "bob"); got != "sesame" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// A bus that takes the connection and is silent is not waited for, and holds up nobody once it is gone.
func TestSilentBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+path)
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		cancel()
		taken <- conn
	}()
	if _, err := keyring.Open().Get(ctx, "postamt", "bob"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_ = (<-taken).Close()
	_ = l.Close()
	if _, err := keyring.Open().Get(t.Context(), "postamt", "bob"); !errors.Is(err, keyring.ErrUnreachable) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	ring, long := keyring.Open(), strings.Repeat("x", keyring.MaxName+1)
	for _, name := range []string{"", long, "\xff", "a\x00b"} {
		_, err := ring.Get(t.Context(), name, "bob")
		err2 := ring.Set(t.Context(), "postamt", name, "sesame")
		for _, err := range []error{err, err2, ring.Delete(t.Context(), name, name)} {
			if err == nil || !strings.Contains(err.Error(), "1 to 255 octets") {
				t.Errorf("%.10q: %v", name, err)
			}
		}
	}
	for _, secret := range []string{"", strings.Repeat("x", keyring.MaxSecret+1)} {
		if err := ring.Set(t.Context(), "postamt", "bob", secret); err == nil || !strings.Contains(err.Error(), "1 to 65536 octets") {
			t.Errorf("%d octets: %v", len(secret), err)
		}
	}
}
