package popd_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

// Whatever happens, no password is in the log.
func TestLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	o := newOffice(t, weak)
	for _, way := range ways {
		for _, user := range []string{"alice", "bob", "nobody"} {
			for _, password := range []string{"tanstaaf", "wr0ng-pass"} {
				c := o.connect()
				way(c, user, password)
				c.hangUp()
			}
		}
	}
	o.stop()
	o.guard.Close()
	log := o.log.String()
	if !strings.Contains(log, "sign-in failed") {
		t.Errorf("the log is not what this test looks for:\n%s", log)
	}
	for _, secret := range []string{"tanstaaf", "wr0ng-pass", "argon2id", "SCRAM-SHA-256$"} {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log has %q: ...%.200s", secret, log[max(0, i-100):])
		}
	}
}

// Guessers cannot fill the log with errors, and hooks see why somebody was refused.
func TestThrottledIsNoFault(t *testing.T) {
	t.Parallel()
	refused := make(chan error, 10)
	o := newOffice(t, settings{
		guard: account.GuardOptions{Throttle: account.ThrottleOptions{FreePerAccount: 1}, Now: standing()},
		server: func(opt *pop3server.Options) {
			opt.Hooks.AuthDone = func(_ *pop3server.Conn, _, _ string, err error) { refused <- err }
		},
	})
	for _, password := range []string{"a", "b", "c"} {
		ways["USER"](o.connect(), "alice", password)
	}
	o.stop()
	if strings.Contains(o.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", o.log)
	}
	for i := range 3 {
		err := <-refused
		var throttled *account.ThrottledError
		if got, want := errors.As(err, &throttled), i == 2; got != want {
			t.Errorf("attempt %d: %v", i+1, err)
		}
		if i == 2 && !pop3.IsTemporary(err) {
			t.Errorf("attempt %d: %v is not temporary", i+1, err)
		}
	}
}

// A fault of the store is an error in the log, with its cause, which the client does not hear of.
func TestFaultIsLogged(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	o.deliver("Subject: lost\r\n\r\nlost\r\n")
	removeBodies(t, o, "lost")
	c := o.connect().signIn()
	if got := c.do("RETR 1"); strings.Contains(got, "bodies") || strings.Contains(got, "no such file") {
		t.Errorf("the client hears of internals: %s", got)
	}
	c.ok("QUIT")
	o.stop()
	if log := o.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "its body is missing") {
		t.Errorf("log:\n%s", log)
	}
}
