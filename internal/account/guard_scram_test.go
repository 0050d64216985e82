package account

import (
	"context"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/sasl"
)

// scram runs a whole exchange and returns what Result says.
func scram(t *testing.T, g *Guard, h sasl.ScramHash, authz, user, password string) (Account, error) {
	t.Helper()
	ctx := context.Background()
	var account Account
	server := sasl.NewScramServer(h, sasl.ScramServerOptions{
		Lookup: func(authz, user string) (sasl.ScramCredentials, error) {
			keys, a, err := g.Scram(ctx, atHome, authz, user, map[sasl.ScramHash]string{sasl.SHA1: "SHA-1", sasl.SHA256: "SHA-256"}[h])
			account = a
			return keys, err
		},
	})
	client := sasl.NewScramClient(h, sasl.ScramClientOptions{Authz: authz, User: user, Password: password})
	_, response, err := client.Start()
	if err != nil {
		t.Fatal(err)
	}
	for {
		challenge, done, err := server.Next(response)
		if done || err != nil {
			return account, g.Result(ctx, atHome, user, err)
		}
		if response, err = client.Next(challenge); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScram(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, authz, user, password string
		want                        error
	}{
		{"right", "", "alice", "tanstaaf", nil},
		{"right, whole address, other case", "", "Alice@Example.org", "tanstaaf", nil},
		{"right, as oneself", "alice", "alice", "tanstaaf", nil},
		{"wrong", "", "alice", "wrong", sasl.ErrCredentials},
		{"right, as somebody else", "bob", "alice", "tanstaaf", sasl.ErrCredentials},
		{"nobody", "", "nobody", "tanstaaf", sasl.ErrCredentials},
		{"no password", "", "carol", "tanstaaf", sasl.ErrCredentials},
		{"disabled", "", "bob", "tanstaaf", ErrDisabled},
		{"disabled, wrong", "", "bob", "wrong", sasl.ErrCredentials},
	}
	for _, tt := range tests {
		for _, h := range []sasl.ScramHash{sasl.SHA1, sasl.SHA256} {
			t.Run(tt.name+" "+h.Mechanism(false), func(t *testing.T) {
				t.Parallel()
				g := newGuardTest(t, GuardOptions{}, SQLOptions{})
				a, err := scram(t, g.Guard, h, tt.authz, tt.user, tt.password)
				if !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if err == nil && a.ID != g.alice.ID {
					t.Errorf("account %+v", a)
				}
				if n := g.hashes.Load(); n != 0 {
					t.Errorf("%d argon2id hashes", n)
				}
			})
		}
	}
}

// RFC 5802 §9 and S-113: false keys of one name are the same each time, whatever its case, and look like real ones.
func TestScramOfNobody(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{Keep: Keep{SCRAMIterations: 4500}})
	keys := func(user string) sasl.ScramCredentials {
		t.Helper()
		k, a, err := g.Scram(ctx, atHome, "", user, "SHA-256")
		if err != nil || user != "alice" && a != (Account{}) {
			t.Fatalf("%q: %+v, %v", user, a, err)
		}
		return k
	}
	nobody, alice := keys("nobody"), keys("alice")
	for _, same := range []string{"nobody", "NoBody", "nobody@example.org"} {
		if diff := cmp.Diff(nobody, keys(same)); diff != "" {
			t.Errorf("%s: %s", same, diff)
		}
	}
	for _, other := range []string{"nobody2", "carol", "nobody@example.net"} {
		if cmp.Equal(nobody.Salt, keys(other).Salt) {
			t.Errorf("%s has the salt of nobody", other)
		}
	}
	if len(nobody.Salt) != len(alice.Salt) || nobody.Iterations != alice.Iterations || nobody.Iterations != 4500 {
		t.Errorf("nobody has a salt of %d octets and %d iterations, alice %d and %d",
			len(nobody.Salt), nobody.Iterations, len(alice.Salt), alice.Iterations)
	}
}

func TestScramIsThrottled(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"alice", "nobody"} {
		g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 2}}, SQLOptions{})
		for range 3 {
			if _, err := scram(t, g.Guard, sasl.SHA256, "", user, "wrong"); !errors.Is(err, sasl.ErrCredentials) {
				t.Fatal(err)
			}
		}
		var te *ThrottledError
		if _, err := scram(t, g.Guard, sasl.SHA256, "", user, "tanstaaf"); !errors.As(err, &te) {
			t.Errorf("%s: %v, want to be throttled", user, err)
		}
		// What is refused does not count, and neither clears the way.
		for range 100 {
			_ = g.Result(context.Background(), atHome, user, te)
			_ = g.Result(context.Background(), atHome, user, sasl.ErrMalformed)
			_ = g.Result(context.Background(), atHome, user, sasl.ErrCancelled)
		}
		if _, err := g.Password(context.Background(), atHome, "", user, "tanstaaf"); !errors.As(err, &te) || te.After != time.Second {
			t.Errorf("%s: %v, want to be throttled for a second", user, err)
		}
	}
}

// Past the free failures, who breaks off an exchange does not get the next one at once: else many could be under way.
func TestScramBrokenOff(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{Throttle: ThrottleOptions{FreePerAccount: 1}}, SQLOptions{})
	if _, err := scram(t, g.Guard, sasl.SHA256, "", "alice", "wrong"); !errors.Is(err, sasl.ErrCredentials) {
		t.Fatal(err)
	}
	if _, _, err := g.Scram(ctx, atHome, "", "alice", "SHA-256"); err != nil {
		t.Fatal(err)
	}
	if err := g.Result(ctx, atHome, "alice", sasl.ErrCancelled); !errors.Is(err, sasl.ErrCancelled) {
		t.Error(err)
	}
	var te *ThrottledError
	if _, _, err := g.Scram(ctx, atHome, "", "alice", "SHA-256"); !errors.As(err, &te) || te.After != time.Second {
		t.Errorf("%v, want to be throttled for a second", err)
	}
	g.clock.advance(time.Second)
	if _, err := scram(t, g.Guard, sasl.SHA256, "", "alice", "tanstaaf"); err != nil {
		t.Error("after a second:", err)
	}
}

// Many exchanges that were begun while guesses were free are no way around the throttle: once the free ones are used up,
// the rest hear nothing of their guess, right or wrong, known account or not.
func TestGuessesAtTheSameTime(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, user := range []string{"alice", "bob", "nobody"} {
		g := newGuardTest(t, GuardOptions{}, SQLOptions{})
		at := func(i int) Attempt {
			return Attempt{Addr: netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), Mech: "SCRAM-SHA-256"}
		}
		const exchanges = 500
		for i := range exchanges {
			if _, _, err := g.Scram(ctx, at(i), "", user, "SHA-256"); err != nil {
				t.Fatal(err)
			}
		}
		heard := 0
		var te *ThrottledError
		for i := range exchanges - 1 {
			switch err := g.Result(ctx, at(i), user, sasl.ErrCredentials); {
			case errors.Is(err, sasl.ErrCredentials):
				heard++
			case !errors.As(err, &te):
				t.Fatalf("%s: %v", user, err)
			}
		}
		if heard != 11 {
			t.Errorf("%s: %d guesses were answered, want the 10 that are free and the first after them", user, heard)
		}
		if err := g.Result(ctx, at(exchanges-1), user, nil); !errors.As(err, &te) {
			t.Errorf("%s: the right guess after all those: %v, want to be throttled", user, err)
		}
		// Those that were not answered did not count.
		if _, err := g.Password(ctx, at(exchanges), "", user, "tanstaaf"); !errors.As(err, &te) || te.After != time.Second {
			t.Errorf("%s: %v, want to be throttled for a second", user, err)
		}
	}
}

func TestResultReturnsWhatItHears(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{})
	for _, err := range []error{sasl.ErrMalformed, sasl.ErrCancelled, context.Canceled, sasl.ErrCredentials} {
		if got := g.Result(ctx, atHome, "alice", err); !errors.Is(got, err) {
			t.Errorf("%v, want %v", got, err)
		}
	}
	if _, err := g.dir.Remove(ctx, "alice", nil); err != nil {
		t.Fatal(err)
	}
	if err := g.Result(ctx, atHome, "alice", nil); !errors.Is(err, sasl.ErrCredentials) {
		t.Errorf("removed meanwhile: %v", err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	g := newGuardTest(t, GuardOptions{}, SQLOptions{Keep: Keep{Recoverable: true}})
	secret, a, err := g.Secret(ctx, atHome, "Alice")
	if string(secret) != "tanstaaf" || a.ID != g.alice.ID || err != nil {
		t.Errorf("%q, %+v, %v", secret, a, err)
	}
	seen := map[string]bool{}
	for _, user := range []string{"nobody", "nobody", "carol", "no name"} {
		secret, a, err := g.Secret(ctx, atHome, user)
		if len(secret) < 16 || a != (Account{}) || err != nil {
			t.Errorf("%s: %q, %+v, %v", user, secret, a, err)
		}
		seen[hex.EncodeToString(secret)] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different ones of 4", len(seen))
	}
	if err := g.Result(ctx, atHome, "bob", nil); !errors.Is(err, ErrDisabled) {
		t.Errorf("disabled: %v", err)
	}
	// A password set while secrets were not kept has none.
	g = newGuardTest(t, GuardOptions{}, SQLOptions{})
	if secret, a, err := g.Secret(ctx, atHome, "alice"); string(secret) == "tanstaaf" || a != (Account{}) || err != nil {
		t.Errorf("%q, %+v, %v", secret, a, err)
	}
}
