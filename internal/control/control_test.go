package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server with the given handler and stops it at the end.
func serve(t *testing.T, handle Handler) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Serve(ctx, l, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return path
}

func TestAsk(t *testing.T) {
	t.Parallel()
	path := serve(t, func(_ context.Context, req Request) Reply {
		return Reply{Error: "no " + req.Op, Notes: []string{"first\nline", "second"}}
	})
	got, err := Ask(t.Context(), path, Request{Op: "reload"})
	if err != nil {
		t.Fatal(err)
	}
	want := Reply{Error: "no reload", Notes: []string{"first\nline", "second"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; only its owner may open it", fi.Mode(), err)
	}
}

// A data folder may lie deeper than the name of a socket can be long.
func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	path := filepath.Join(dir, "control.sock")
	if _, err := Ask(t.Context(), path, Request{Op: "reload"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no folder: %v, want ErrNotRunning", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, l, func(context.Context, Request) Reply { return Reply{Notes: []string{"hello"}} })
	}()
	if reply, err := Ask(t.Context(), path, Request{Op: "reload"}); err != nil || len(reply.Notes) != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left over: %v", err)
	}
}

func TestNotRunning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Ask(t.Context(), path, Request{Op: "reload"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v, want ErrNotRunning", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if _, err := Ask(t.Context(), path, Request{Op: "reload"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("left-over socket: %v, want ErrNotRunning", err)
	}
	if l, err := Listen(path); err != nil {
		t.Errorf("a left-over socket is in the way: %v", err)
	} else {
		_ = l.Close()
	}
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	path := serve(t, func(context.Context, Request) Reply {
		t.Error("a request that cannot be read was handled")
		return Reply{}
	})
	for _, request := range []string{"\n", "reload\n", "{\n", strings.Repeat("x", maxLine) + "\n"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(request))
		var reply Reply
		if err := readLine(c, &reply); err == nil && reply.Error == "" {
			t.Errorf("%.10q: no error", request)
		}
		_ = c.Close()
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	path := serve(t, func(context.Context, Request) Reply { <-release; return Reply{} })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, path, Request{Op: "reload"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time was over", err)
	}
}

// A scarce listener is short of file descriptors at first.
type scarce struct {
	net.Listener
	left int
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.left > 0 {
		s.left--
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

// A shortage that passes does not end the service: nobody could ask for a reload for as long as the daemon runs.
func TestShortage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, &scarce{l, 3}, func(context.Context, Request) Reply { return Reply{Notes: []string{"hello"}} })
	}()
	if reply, err := Ask(t.Context(), path, Request{Op: "reload"}); err != nil || len(reply.Notes) != 1 {
		t.Errorf("%+v, %v", reply, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
