package account

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalizeName(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"alice", "alice"},
		{"Alice", "alice"},
		{"ALICE@Example.ORG", "alice@example.org"},
		{"first.last+tag", "first.last+tag"},
		{"o'hara", "o'hara"},
		{"\u00c9mile", "\u00e9mile"},
		{"E\u0301mile", "\u00e9mile"},               // composed
		{"\uff41\uff4c\uff49\uff43\uff45", "alice"}, // full width
		{"a\uff20b", "a@b"},                         // full width at-sign
		{"\u0391\u03a3", "\u03b1\u03c3"},            // capital sigma, not final sigma
		{strings.Repeat("a", MaxName), strings.Repeat("a", MaxName)},
	}
	for _, tt := range tests {
		got, err := NormalizeName(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("NormalizeName(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestNormalizeNameRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, reason string }{
		{"", "is empty"},
		{strings.Repeat("a", MaxName+1), "is longer than 248 octets"},
		{"-f", `begins with "-"`},
		{"a b", "has a space"},
		{"a\tb", "has a control character"},
		{"a\x00", "has a control character"},
		{"a\r\nb", "has a control character"},
		{"a\x7f", "has a control character"},
		{"a\xff", "is not UTF-8"},
		{"a@b@c", `has more than one "@"`},
		{"@b", `lacks a part beside the "@"`},
		{"a@", `lacks a part beside the "@"`},
		{".", "has a dot at an end or two in a row"},
		{"..", "has a dot at an end or two in a row"},
		{"a..b", "has a dot at an end or two in a row"},
		{"a@b.", "has a dot at an end or two in a row"},
		{"../etc", "has a dot at an end or two in a row"},
		{"etc/passwd", "has the sign '/'"},
		{`"a"`, `has the sign '"'`},
		{"a@[192.0.2.1]", "has the sign '['"},
		{"a\u00a0b", "has characters that cannot stand in a name (RFC 8265)"}, // no-break space
		{"a\u0085b", "has characters that cannot stand in a name (RFC 8265)"}, // C1 control
		{"a\u200bb", "has characters that cannot stand in a name (RFC 8265)"}, // zero width space
		{"a\uff0fb", "has the sign '/'"},                                      // full width solidus
		{"a\uff20b\uff20c", `has more than one "@"`},
	}
	for _, tt := range tests {
		got, err := NormalizeName(tt.in)
		var ne *NameError
		if !errors.As(err, &ne) || ne.Reason != tt.reason {
			t.Errorf("NormalizeName(%q) = %q, %v; want the reason %q", tt.in, got, err, tt.reason)
		}
	}
}

func TestNameErrorIsOneShortLine(t *testing.T) {
	t.Parallel()
	_, err := NormalizeName("a\r\n" + strings.Repeat("x", 1000))
	if s := err.Error(); strings.ContainsAny(s, "\r\n") || len(s) > 200 {
		t.Errorf("error text: %s", s)
	}
}

func TestNormalizeNameDoesNotAllocateForPlainNames(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _ = NormalizeName("alice@example.org") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzNormalizeName(f *testing.F) {
	for _, s := range []string{"alice", "Alice@Example.org", "\u00c9mile", "\uff20", "a..b", "\u0130", "\u212a", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, err := NormalizeName(in)
		if err != nil {
			var ne *NameError
			if !errors.As(err, &ne) {
				t.Fatalf("%q: %T is not a *NameError", in, err)
			}
			return
		}
		if again, err := NormalizeName(name); err != nil || again != name {
			t.Fatalf("%q becomes %q becomes %q, %v", in, name, again, err)
		}
		if len(name) == 0 || len(name) > MaxName || !utf8.ValidString(name) || name[0] == '-' ||
			strings.Count(name, "@") > 1 || strings.ContainsAny(name, "/\\ \x00\r\n\t") || strings.Contains(name, "..") {
			t.Fatalf("%q is let through as %q", in, name)
		}
	})
}
