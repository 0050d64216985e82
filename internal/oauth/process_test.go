package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// killedStore dies by SIGKILL when a token is to be stored.
type killedStore struct{ oauth.Store }

func (killedStore) Save(context.Context, string, []byte) error {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// onPort makes a world with a real port, for other processes.
func onPort(t *testing.T, opt oauthtest.Options) *world {
	t.Helper()
	return &world{Server: oauthtest.New(t, opt), t: t, folder: t.TempDir()}
}

// process returns another process of that role.
func (w *world) process(role string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "POSTAMT_OAUTH_CHILD="+role, "POSTAMT_OAUTH_FOLDER="+w.folder, "POSTAMT_OAUTH_SERVER="+w.URL)
	return cmd
}

// end makes what is stored a token that has ended, by having stored it in the past.
func (w *world) end() {
	w.t.Helper()
	past := w.source(func(o *oauth.Options) { o.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) } })
	w.login(past)
}

// Eight processes want a token at the same time. One of them asks for it, and all have it.
func TestRace(t *testing.T) {
	t.Parallel()
	w := onPort(t, oauthtest.Options{})
	w.end()
	var children []*exec.Cmd
	var outs []*bytes.Buffer
	var begin []func()
	for range 8 {
		cmd := w.process("wait")
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children, outs, begin = append(children, cmd), append(outs, out), append(begin, func() { _, _ = in.Write([]byte("x")); _ = in.Close() })
	}
	for _, f := range begin {
		f()
	}
	for i, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outs[i])
		}
		if token := strings.TrimSpace(outs[i].String()); token != strings.TrimSpace(outs[0].String()) || !w.Active(token) {
			t.Errorf("process %d has another token, or a bad one", i)
		}
	}
	w.asked(1)
	if refused := w.Refused(); len(refused) > 0 {
		t.Errorf("the server refused: %q", refused)
	}
}

// Eight goroutines, too, whose locks are in one process.
func TestRaceInOneProcess(t *testing.T) {
	t.Parallel()
	w := onPort(t, oauthtest.Options{})
	w.end()
	s := w.source()
	var all sync.WaitGroup
	var failed atomic.Int32
	for range 8 {
		all.Go(func() {
			if token, err := s.Token(t.Context()); err != nil || !w.Active(token) {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	w.asked(1)
	if failed.Load() > 0 {
		t.Errorf("%d have no token", failed.Load())
	}
}

// A process is killed between receiving a new refresh token and storing it. A server that lets the old one be used once
// more gives another; with a strict one somebody has to sign in, which is known after the refusal was confirmed.
func TestCrashBeforeStoring(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]bool{"server with grace": true, "strict server": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := onPort(t, oauthtest.Options{Grace: grace})
			w.end()
			err := w.process("crash").Run()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the process was not killed: %v", err)
			}
			w.asked(1)
			if grace {
				w.token(w.source()) // the kernel has freed the lock
				w.asked(2)
				return
			}
			w.refuses(w.source(), false, "invalid_grant", "asked again")
			later := func(o *oauth.Options) { o.Now = func() time.Time { return time.Now().Add(oauth.ConfirmAfter) } }
			w.refuses(w.source(later), true, "invalid_grant", "run: postamt fetch login isp")
			w.asked(3)
			w.login(w.source())
			w.token(w.source())
		})
	}
}

// The answer with the new refresh token is lost on the way.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{Grace: true})
		s := w.source()
		w.login(s)
		time.Sleep(2 * time.Hour)
		w.Fail(oauthtest.Fault{Hang: true, After: true})
		w.refuses(s, false, "cannot be asked")
		w.token(s)
	})
}

// Whoever waits for the lock gives up with its context.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		s := w.source()
		w.login(s)
		time.Sleep(2 * time.Hour)
		w.Fail(oauthtest.Fault{Hang: true})
		var all sync.WaitGroup
		all.Go(func() { _, _ = s.Token(t.Context()) }) // holds the lock for 30 seconds
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.source().Token(ctx); !errors.Is(err, context.DeadlineExceeded) || oauth.NeedsPerson(err) {
			t.Errorf("%v, want the end of the context", err)
		}
		if token, err := w.source().Token(t.Context()); err != nil || !w.Active(token) { // waits, and then does it
			t.Error(err)
		}
		all.Wait()
	})
}
