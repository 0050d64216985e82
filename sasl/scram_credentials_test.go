package sasl_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/postamt/postamt/sasl"
)

// A stranger who asks twice sees the same salt for an unknown name, and cannot tell it from a real one by its form.
func TestFakeScramCredentials(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	for _, h := range []sasl.ScramHash{sasl.SHA256, sasl.SHA1} {
		a := sasl.FakeScramCredentials(h, key, "ann", 10000)
		if diff := cmp.Diff(a, sasl.FakeScramCredentials(h, key, "ann", 10000)); diff != "" {
			t.Errorf("the same name has two faces: %s", diff)
		}
		for name, other := range map[string]sasl.ScramCredentials{
			"other name": sasl.FakeScramCredentials(h, key, "bob", 10000),
			"other key":  sasl.FakeScramCredentials(h, []byte("fedcba9876543210"), "ann", 10000),
		} {
			if bytes.Equal(a.Salt, other.Salt) || bytes.Equal(a.StoredKey, other.StoredKey) {
				t.Errorf("%s: same credentials", name)
			}
		}
		real, err := sasl.DeriveScramCredentials(h, "pencil", sasl.NewSalt(), 10000)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Salt) != len(real.Salt) || len(a.StoredKey) != len(real.StoredKey) || a.Iterations != real.Iterations {
			t.Errorf("fake credentials have another form than real ones: %v, %v", a, real)
		}
		if len(a.StoredKey) != h.Size() || bytes.Equal(a.StoredKey, a.ServerKey) {
			t.Errorf("keys are %x and %x", a.StoredKey, a.ServerKey)
		}
	}
}

// The exchange of an unknown name runs to its end and fails there, as one with a wrong password does.
func TestScramUnknownUserLooksLikeWrongPassword(t *testing.T) {
	t.Parallel()
	real, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", sasl.NewSalt(), 4096)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(authz, user string) (sasl.ScramCredentials, error) {
		if user == "user" {
			return real, nil
		}
		return fakeLookup(authz, user)
	}
	try := func(user, pass string) error {
		c := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: user, Password: pass})
		return talk(c, sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: lookup}))
	}
	if err := try("user", "pencil"); err != nil {
		t.Errorf("right password: %v", err)
	}
	wrong, unknown := try("user", "pen"), try("nobody", "pencil")
	if !errors.Is(wrong, sasl.ErrCredentials) || wrong.Error() != unknown.Error() {
		t.Errorf("wrong password: %v; unknown user: %v", wrong, unknown)
	}
}

func TestDeriveScramCredentialsRefuses(t *testing.T) {
	t.Parallel()
	for name, derive := range map[string]func() (sasl.ScramCredentials, error){
		"no salt": func() (sasl.ScramCredentials, error) { return sasl.DeriveScramCredentials(sasl.SHA256, "x", nil, 4096) },
		"no iterations": func() (sasl.ScramCredentials, error) {
			return sasl.DeriveScramCredentials(sasl.SHA256, "x", []byte("s"), 0)
		},
		"no password": func() (sasl.ScramCredentials, error) {
			return sasl.DeriveScramCredentials(sasl.SHA256, "", []byte("s"), 4096)
		},
		"control character": func() (sasl.ScramCredentials, error) {
			return sasl.DeriveScramCredentials(sasl.SHA256, "\x07", []byte("s"), 4096)
		},
	} {
		if c, err := derive(); err == nil || c.StoredKey != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestNewSalt(t *testing.T) {
	t.Parallel()
	a, b := sasl.NewSalt(), sasl.NewSalt()
	if len(a) != sasl.SaltSize || bytes.Equal(a, b) {
		t.Errorf("NewSalt() = %x, %x", a, b)
	}
}
