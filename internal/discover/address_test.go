package discover

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"bob@example.net":              "bob@example.net",
		"Bob.Smith+tag@Example.NET":    "Bob.Smith+tag@example.net",
		"b\u00f6b@b\u00fccher.example": "b\u00f6b@xn--bcher-kva.example",
		"bob@sub.example.co.uk":        "bob@sub.example.co.uk",
		"bob":                          "",
		"@example.net":                 "",
		"bob@":                         "",
		"bob@example":                  "",
		"bob@localhost":                "",
		"bob@127.0.0.1":                "",
		"bob@[127.0.0.1]":              "",
		"bob@example..net":             "",
		"bob@-example.net":             "",
		"bob@example.net/path":         "",
		"bob@example.net:443":          "",
		"bob@a@example.net":            "",
		"bob@user:pass@example.net":    "",
		"bo b@example.net":             "",
		"bob\r\n@example.net":          "",
		"bob\x00@example.net":          "",
		"\"b ob\"@example.net":         "",
		"\xff@example.net":             "",
		strings.Repeat("b", maxLocal) + "@example.net":     strings.Repeat("b", maxLocal) + "@example.net",
		strings.Repeat("b", maxLocal+1) + "@example.net":   "",
		"bob@" + strings.Repeat("a.", 130) + "example.net": "",
		"bob@" + strings.Repeat("a", 64) + ".net":          "",
		"<bob@example.net>":                                "",
		"bob@example.net, alice@example.net":               "",
	} {
		a, err := ParseAddress(in)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken as %q", in, a)
		case want != "" && (err != nil || a.String() != want):
			t.Errorf("%q: %q, %v; want %q", in, a, err, want)
		case err != nil && len(err.Error()) > 500:
			t.Errorf("%q: an error of %d octets", in, len(err.Error()))
		}
	}
}
