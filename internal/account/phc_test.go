package account

import (
	"context"
	"strings"
	"testing"
)

// The first lines are test vectors of the reference implementation (test.c of phc-winner-argon2, "password" and
// "somesalt").
func TestPasswordHashVectors(t *testing.T) {
	t.Parallel()
	h, _ := newHasher(t, HasherOptions{})
	for _, s := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		ok, stale, err := h.check(context.Background(), s, "password")
		if !ok || !stale || err != nil {
			t.Errorf("%s: ok %t, stale %t, %v; want true, true", s, ok, stale, err)
		}
		if ok, stale, err := h.check(context.Background(), s, "Password"); ok || stale || err != nil {
			t.Errorf("%s with a wrong password: ok %t, stale %t, %v", s, ok, stale, err)
		}
	}
}

func TestParseHashRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, s := range []string{
		"",
		"x",
		"$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$m=65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2$" + salt + "$" + key,
		"$argon2id$v=19$t=2,m=65536,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=1048577,t=2,p=1$" + salt + "$" + key,    // over 1 GiB
		"$argon2id$v=19$m=4294967296,t=2,p=1$" + salt + "$" + key, // over 32 bits
		"$argon2id$v=19$m=63,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=2,p=9$" + salt + "$" + key, // under 8 KiB a lane
		"$argon2id$v=19$m=65536,t=65,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=17$" + salt + "$" + key,
		"$argon2id$v=19$m=+65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=065536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "=$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + key + "$",
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHR$" + key, // trailing bits
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + strings.Repeat("A", 100),
	} {
		if h, err := parseHash(s); err == nil {
			t.Errorf("parseHash(%q) = %v, want an error", s, h)
		} else if strings.Contains(err.Error(), key) {
			t.Errorf("parseHash(%q): the error repeats the hash", s)
		}
	}
}

func TestArgon2Bounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   Argon2
		want argon2Cost
		ok   bool
	}{
		{Argon2{}, argon2Cost{19456, 2, 1}, true}, // OWASP's least
		{Argon2{Memory: 64 << 10, Passes: 1}, argon2Cost{64, 1, 1}, true},
		{Argon2{Memory: 1 << 30, Passes: 64}, argon2Cost{1 << 20, 64, 1}, true},
		{Argon2{Memory: 64<<10 - 1}, argon2Cost{}, false},
		{Argon2{Memory: 1<<30 + 1024}, argon2Cost{}, false},
		{Argon2{Memory: -1}, argon2Cost{}, false},
		{Argon2{Passes: 65}, argon2Cost{}, false},
		{Argon2{Passes: -1}, argon2Cost{}, false},
	}
	for _, tt := range tests {
		got, err := tt.in.cost()
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%+v: %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
}

// What is read is written again as it was, so there is one text for each hash.
func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ\n$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Fatalf("%q is read, and written as %q", s, h.String())
		}
		if c := h.cost; c.kib > maxArgon2KiB || c.passes > maxArgon2Passes || c.lanes > maxArgon2Lanes ||
			len(h.salt) > 64 || len(h.key) > 64 {
			t.Fatalf("%q is beyond the bounds", s)
		}
	})
}
