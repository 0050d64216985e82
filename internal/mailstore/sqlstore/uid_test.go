package sqlstore

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"testing"
)

func TestUIDIsBase32Hex(t *testing.T) {
	t.Parallel()
	reference := base32.HexEncoding.WithPadding(base32.NoPadding)
	for i := range 1000 {
		var u rawUID
		if _, err := rand.Read(u[:]); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			u = rawUID{}
		}
		shown := u.String()
		if want := strings.ToLower(reference.EncodeToString(u[:])); shown != want {
			t.Fatalf("%x is shown as %s, want %s", u[:], shown, want)
		}
		if back, ok := parseUID(shown); !ok || back != u {
			t.Fatalf("%s reads as %x, want %x", shown, back[:], u[:])
		}
		if err := checkUID(shown); err != nil {
			t.Fatal(err)
		}
	}
}

// Only what we would write ourselves counts as ours; everything else is kept as it came.
func TestParseUIDIsStrict(t *testing.T) {
	t.Parallel()
	zero := strings.Repeat("0", uidLen)
	for _, s := range []string{
		"", "0", zero[1:], zero + "0", strings.Repeat("0", uidLen-1) + "1", // bits beyond 128
		strings.Repeat("A", uidLen), strings.Repeat("w", uidLen), zero[1:] + " ",
	} {
		if _, ok := parseUID(s); ok {
			t.Errorf("%q is taken for one of ours", s)
		}
	}
}

func TestAppendUIDDoesNotAllocate(t *testing.T) {
	u := rawUID{1, 2, 3}
	buf := make([]byte, 0, uidLen)
	if n := testing.AllocsPerRun(100, func() { buf = appendUID(buf[:0], &u) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
