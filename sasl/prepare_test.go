package sasl_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/postamt/postamt/sasl"
	"github.com/xdg-go/scram"
)

// prepareTable is RFC 4013 §3, its fifth example included, and what follows from §2.
var prepareTable = []struct {
	name, in, want string
	ok             bool
}{
	{"RFC 4013 example 1: soft hyphen goes", "I\u00adX", "IX", true},
	{"RFC 4013 example 2: nothing to do", "user", "user", true},
	{"RFC 4013 example 3: case is kept", "USER", "USER", true},
	{"RFC 4013 example 4: NFKC", "\u00aa", "a", true},
	{"RFC 4013 example 5: NFKC, one to two", "\u2168", "IX", true},
	{"RFC 4013 example 6: control character", "\u0007", "", false},
	{"RFC 4013 example 7: mixed directions", "\u0627\u0031", "", false},

	{"empty stays empty", "", "", true},
	{"only what goes", "\u00ad", "", false},
	{"no-break space", "a\u00a0b", "a b", true},
	{"ideographic space", "a\u3000b", "a b", true},
	{"composed", "caf\u00e9", "caf\u00e9", true},
	{"decomposed", "cafe\u0301", "caf\u00e9", true},
	{"fullwidth", "\uff41\uff42", "ab", true},
	{"right to left", "\u05d0\u05d1", "\u05d0\u05d1", true},
	{"right to left with a digit inside", "\u06271\u0628", "\u06271\u0628", true},
	{"right to left with Latin", "\u0627a\u0628", "", false},
	{"newer than Unicode 3.2", "\U0001f4ee", "\U0001f4ee", true},
	{"NUL", "a\x00b", "", false},
	{"DEL", "a\x7fb", "", false},
	{"C1 control", "a\u0085b", "", false},
	{"private use", "\ue000", "", false},
	{"private use, plane 16", "\U00100000", "", false},
	{"not a character", "\ufdd0", "", false},
	{"not a character, plane 1", "\U0001fffe", "", false},
	{"replacement character", "\ufffd", "", false},
	{"ideographic description", "\u2ff0", "", false},
	{"directional mark", "a\u200eb", "", false},
	{"tag character", "\U000e0041", "", false},
	{"musical format character", "\U0001d173", "", false},
	{"not UTF-8", "a\xffb", "", false},
	{"overlong", "\xc0\xaf", "", false},
	{"surrogate", "\xed\xa0\x80", "", false},
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	for _, tt := range prepareTable {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := sasl.Prepare(tt.in)
			switch {
			case tt.ok && (got != tt.want || err != nil):
				t.Errorf("Prepare(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			case !tt.ok && (got != "" || !errors.Is(err, sasl.ErrMalformed)):
				t.Errorf("Prepare(%q) = %q, %v; want ErrMalformed", tt.in, got, err)
			}
		})
	}
}

// What we refuse and what we make of the rest must be what others make of it, or people with names outside ASCII could
// not sign in. Only code points newer than Unicode 3.2, which we let through, may differ.
func TestPrepareAgainstXDG(t *testing.T) {
	t.Parallel()
	for _, tt := range prepareTable {
		if tt.in == "" || !utf8.ValidString(tt.in) || tt.name == "newer than Unicode 3.2" || tt.name == "only what goes" {
			continue
		}
		client, err := scram.SHA256.NewClient("user", tt.in, "")
		if (err == nil) != tt.ok {
			t.Errorf("%s: xdg-go/scram takes the password: %v, Prepare: %v", tt.name, err == nil, tt.ok)
		}
		if err != nil || !tt.ok {
			continue
		}
		theirs, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "0123456789abcdef", Iters: 4096})
		if err != nil {
			t.Fatal(err)
		}
		ours, err := sasl.DeriveScramCredentials(sasl.SHA256, tt.in, []byte("0123456789abcdef"), 4096)
		if err != nil || string(ours.StoredKey) != string(theirs.StoredKey) || string(ours.ServerKey) != string(theirs.ServerKey) {
			t.Errorf("%s: keys differ from xdg-go/scram (%v)", tt.name, err)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	for _, tt := range prepareTable {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := sasl.Prepare(s)
		if err != nil {
			if p != "" {
				t.Errorf("Prepare(%q) = %q with error %v", s, p, err)
			}
			return
		}
		if again, err := sasl.Prepare(p); again != p || err != nil {
			t.Errorf("Prepare(Prepare(%q)) = %q, %v; want %q", s, again, err, p)
		}
		if !utf8.ValidString(p) || s != "" && p == "" {
			t.Errorf("Prepare(%q) = %q", s, p)
		}
	})
}
