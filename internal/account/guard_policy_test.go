package account

import (
	"context"
	"errors"
	"testing"

	"github.com/postamt/postamt/sasl"
)

// S-157, S-178: without TLS, right and wrong passwords of an account that requires it get the same answer after the same
// work.
func TestRequireTLS(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Remember: -1}, SQLOptions{})
	clear, secure := atHome, atHome
	clear.TLS, secure.TLS = false, true
	if err := g.dir.SetRequireTLS(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"tanstaaf", "wrong"} {
		g.hashes.Store(0)
		if a, err := g.Password(ctx, clear, "", "alice", password); err != sasl.ErrCredentials || a != (Account{}) || g.hashes.Load() != 1 {
			t.Errorf("%q in the clear: %+v, %v after %d hashes", password, a, err, g.hashes.Load())
		}
	}
	if a, err := g.Password(ctx, secure, "", "alice", "tanstaaf"); err != nil || !a.RequireTLS {
		t.Errorf("with TLS: %+v, %v", a, err)
	}
	if _, a, err := g.Scram(ctx, clear, "", "alice", "SHA-256"); err != nil || a.ID != 0 {
		t.Errorf("SCRAM in the clear: %+v, %v, want what a stranger gets", a, err)
	}
	if err := g.dir.SetRequireTLS(ctx, "alice", false); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Password(ctx, clear, "", "alice", "tanstaaf"); err != nil {
		t.Errorf("no longer required: %v", err)
	}
	if err := g.dir.SetRequireTLS(ctx, "nobody", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

// S-083: where a secret is kept for APOP, the password does not work as well.
func TestSecretOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{SecretOnly: true}, SQLOptions{Keep: Keep{Recoverable: true}})
	if _, err := g.Password(ctx, atHome, "", "alice", "tanstaaf"); err != sasl.ErrCredentials {
		t.Errorf("password: %v", err)
	}
	secret, a, err := g.Secret(ctx, atHome, "alice")
	if err != nil || string(secret) != "tanstaaf" {
		t.Fatalf("secret: %q, %v", secret, err)
	}
	if err := g.Result(ctx, atHome, "alice", nil); err != nil || a.ID != g.alice.ID {
		t.Errorf("APOP: %+v, %v", a, err)
	}
	free := newGuardTest(t, GuardOptions{SecretOnly: true}, SQLOptions{})
	if _, err := free.Password(ctx, atHome, "", "alice", "tanstaaf"); err != nil {
		t.Errorf("an account without a secret: %v", err)
	}
}
