package account

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
)

func TestNewPassword(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"tanstaaf", "tanstaaf"},
		{" with  spaces ", " with  spaces "},
		{"A-Z keeps its CASE", "A-Z keeps its CASE"},
		{"e\u0301", "\u00e9"}, // composed
		{strings.Repeat("x", MaxPassword), strings.Repeat("x", MaxPassword)},
	}
	for _, tt := range tests {
		got, err := newPassword(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("newPassword(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{"", strings.Repeat("x", MaxPassword+1), "a\x00b", "a\r\nb", "\xff", "\u00ad"} {
		got, err := newPassword(in)
		var pe *PasswordError
		if !errors.As(err, &pe) {
			t.Errorf("newPassword(%q) = %q, %v; want a *PasswordError", in, got, err)
		} else if len(in) > 1 && strings.Contains(err.Error(), in) {
			t.Errorf("newPassword(%q): the error repeats the password", in)
		}
	}
}

func TestGivenPasswordNeverFails(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{{"x", "x"}, {"", ""}, {"e\u0301", "\u00e9"}, {"caf\xe9", "caf\xe9"}, {"a\x00", "a\x00"}}
	for _, tt := range tests {
		if got := givenPassword(tt.in); got != tt.want {
			t.Errorf("givenPassword(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestGeneratePassword(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^([a-km-np-z2-9]{4}-){6}[a-km-np-z2-9]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		p := GeneratePassword()
		if !form.MatchString(p) {
			t.Fatalf("GeneratePassword() = %q", p)
		}
		if _, err := newPassword(p); err != nil {
			t.Fatal(err)
		}
		seen[p] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different ones of 1000", len(seen))
	}
	distinct := map[rune]bool{}
	for _, r := range passwordAlphabet {
		distinct[r] = true
	}
	if bits := 28 * math.Log2(float64(len(distinct))); bits < 128 {
		t.Errorf("%v bits of entropy, want 128", bits)
	}
}
