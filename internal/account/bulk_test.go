package account

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// phc is "open sesame" as another program would hash it, at another cost than ours.
func phc(t *testing.T) string {
	t.Helper()
	h, _ := newHasher(t, HasherOptions{Argon2: Argon2{Memory: 128 << 10, Passes: 1}})
	hash, err := h.hash(context.Background(), "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestParseHashed(t *testing.T) {
	t.Parallel()
	hash := phc(t)
	for _, tt := range []struct{ line, name, hash, err string }{
		{"Bob:" + hash, "bob", hash, ""},
		{"bob@Example.org:" + hash, "bob@example.org", hash, ""},
		{"bob:{ARGON2ID}" + hash + ":1000:1000::/home/bob::", "bob", hash, ""},
		{"bob:{argon2id}" + hash + "::::::", "bob", hash, ""},
		{"bob:", "bob", "", ""},
		{"bob::1000:1000", "bob", "", ""},
		{"bob", "", "", "NAME:HASH"},
		{":" + hash, "", "", "name"},
		{"b b:" + hash, "", "", `the name "b b"`},
		{"bob:secret", "", "", "not argon2id"},
		{"bob:{PLAIN}secret", "", "", "not argon2id"},
		{"bob:{SHA512-CRYPT}$6$abc$def", "", "", "not argon2id"},
		{"bob:" + strings.Replace(hash, "m=128", "m=9999999", 1), "", "", "out of bounds"},
	} {
		got, err := ParseHashed(tt.line)
		if tt.err == "" && (err != nil || got != Hashed{tt.name, tt.hash}) {
			t.Errorf("%q: %+v, %v", tt.line, got, err)
		}
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v, want %q and no hash", tt.line, err, tt.err)
		}
	}
}

func TestAddHashed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	clock := newTestClock()
	d := newDirectory(t, newCatalog(t), SQLOptions{Now: clock.now})
	if _, err := d.Add(ctx, "anna"); err != nil {
		t.Fatal(err)
	}
	list := []Hashed{{"anna", phc(t)}, {"bob", phc(t)}, {"robot", ""}, {"bob", ""}}
	for try, want := range []int{2, 0} { // the second time everybody is there
		if added, err := d.AddHashed(ctx, list); err != nil || added != want {
			t.Errorf("try %d added %d, want %d: %v", try+1, added, want, err)
		}
	}
	var all []Account
	for a, err := range d.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if diff := cmp.Diff([]Account{
		{ID: 1, Name: "anna", Created: clock.now()}, // as she was: without a password
		{ID: 3, Name: "bob", Created: clock.now(), PasswordSet: clock.now()},
		{ID: 4, Name: "robot", Created: clock.now()},
	}, all); diff != "" {
		t.Error(diff)
	}
	// The ids of those who were there already are not given to others.
	if next, err := d.Add(ctx, "next"); err != nil || next.ID != 10 {
		t.Errorf("%+v, %v", next, err)
	}

	// Bob signs in, and what is kept of his password is ours then.
	g := NewGuard(d, GuardOptions{Now: clock.now})
	defer g.Close()
	at := Attempt{Addr: netip.MustParseAddr("192.0.2.1"), Mech: "PASS"}
	if _, err := g.Password(ctx, at, "", "bob", "wrong"); err == nil {
		t.Error("a wrong password is right")
	}
	if _, err := g.Password(ctx, at, "", "bob", "open sesame"); err != nil {
		t.Error(err)
	}
	r, err := d.find(ctx, [4]string{"bob", "bob", "bob", "bob"})
	if err != nil || r.iterations == 0 || strings.Contains(r.argon2id, fmt.Sprintf("m=%d,", 128)) {
		t.Errorf("nothing was derived anew: %+v, %v", r.iterations, err)
	}
	if _, err := g.Password(ctx, at, "", "bob", "open sesame"); err != nil {
		t.Error(err)
	}
}
