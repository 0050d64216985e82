package pop3test

import (
	"bytes"
	"errors"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

// password: the right one signs in; every wrong one is ErrCredentials, and who does not exist cannot be told from who
// does.
func (b *backendTest) password() {
	check := b.Backend.Auth(b.conn).Password
	if check == nil {
		b.Skip("the backend takes no passwords")
	}
	id, err := check(b.Context(), "PASS", "", "ann", passwordOf("ann"))
	if err != nil || id.User == "" {
		b.Fatalf("Password(ann, right) = %+v, %v", id, err)
	}
	texts := map[string]bool{}
	for _, tt := range [][2]string{
		{"ann", "wrong"},
		{"ann", ""},
		{"ann", passwordOf("ann") + " "},
		{"ann", passwordOf("bob")},
		{"nobody", passwordOf("ann")},
		{"nobody", ""},
		{"", passwordOf("ann")},
	} {
		_, err := check(b.Context(), "PASS", "", tt[0], tt[1])
		if !errors.Is(err, pop3server.ErrCredentials) {
			b.Errorf("Password(%q, %q): %v, want ErrCredentials", tt[0], tt[1], err)
			continue
		}
		texts[err.Error()] = true
	}
	if len(texts) > 1 {
		b.Logf("note: errors for wrong passwords differ in text (%d texts); none is sent", len(texts))
	}
	if _, err := check(b.Context(), sasl.Plain, "bob", "ann", passwordOf("ann")); err == nil {
		b.Error("Password lets ann act as bob")
	}
}

// secret: a user's own, and ErrCredentials for who does not exist.
func (b *backendTest) secret() {
	lookup := b.Backend.Auth(b.conn).Secret
	if lookup == nil {
		b.Skip("the backend has no secrets in the clear")
	}
	secret, id, err := lookup(b.Context(), sasl.CRAMMD5, "ann")
	if err != nil || string(secret) != passwordOf("ann") || id.User == "" {
		b.Errorf("Secret(ann) = %q, %+v, %v", secret, id, err)
	}
	if secret, _, err := lookup(b.Context(), sasl.CRAMMD5, "nobody"); len(secret) > 0 || !errors.Is(err, pop3server.ErrCredentials) {
		b.Errorf("Secret(nobody) = %q, %v, want ErrCredentials", secret, err)
	}
}

// scram: the credentials fit the password, and those of who does not exist look the same and stay the same.
func (b *backendTest) scram() {
	lookup := b.Backend.Auth(b.conn).SCRAM
	if lookup == nil {
		b.Skip("the backend has no SCRAM credentials")
	}
	real, id, err := lookup(b.Context(), sasl.ScramSHA256, "", "ann")
	if err != nil || id.User == "" {
		b.Fatalf("SCRAM(ann) = %+v, %v", id, err)
	}
	derived, err := sasl.DeriveScramCredentials(sasl.SHA256, passwordOf("ann"), real.Salt, real.Iterations)
	if err != nil || !bytes.Equal(derived.StoredKey, real.StoredKey) || !bytes.Equal(derived.ServerKey, real.ServerKey) {
		b.Errorf("SCRAM(ann) does not fit her password (%v)", err)
	}
	if real.Iterations < sasl.MinIterations {
		b.Errorf("SCRAM(ann) has %d iterations, fewer than %d", real.Iterations, sasl.MinIterations)
	}
	fake, _, err := lookup(b.Context(), sasl.ScramSHA256, "", "nobody")
	if err != nil {
		b.Fatalf("SCRAM(nobody): %v; it must not say that there is no such user", err)
	}
	again, _, err := lookup(b.Context(), sasl.ScramSHA256, "", "nobody")
	if err != nil || !bytes.Equal(fake.Salt, again.Salt) {
		b.Errorf("SCRAM(nobody) gives another salt each time (%v)", err)
	}
	if len(fake.Salt) != len(real.Salt) || fake.Iterations != real.Iterations || len(fake.StoredKey) != len(real.StoredKey) {
		b.Error("SCRAM(nobody) looks unlike SCRAM(ann)")
	}
}
