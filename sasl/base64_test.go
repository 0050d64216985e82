package sasl_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/postamt/postamt/sasl"
)

func TestDecodeBase64(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, want string
		ok         bool
	}{
		{"", "", true}, // RFC 5034 §4: an empty line is an empty response
		{"AA==", "\x00", true},
		{"AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "\x00tim\x00tanstaaftanstaaf", true},
		{"+/+/", "\xfb\xff\xbf", true},

		{line: "="},
		{line: "=="},
		{line: "===="},
		{line: "=AAA"},
		{line: "AAA=BBB"},
		{line: "AAA=BBBB"},
		{line: "AA=A"},
		{line: "AA AA"},
		{line: "AAAA\t"},
		{line: " AAAA"},
		{line: "AAA"},
		{line: "A"},
		{line: "AA="},
		{line: "AAAA="},
		{line: "AAAA=="},
		{line: "AA==AAAA"},
		{line: "-_-_"}, // the URL-safe alphabet
		{line: "AB=="},
		{line: "AAB="}, // bits beyond the last octet
		{line: "AA\r\nAA"},
		{line: "AAAA\n"}, // encoding/base64 skips these
		{line: "\rAAAA"},
		{line: "AA\x00A"},
		{line: "AA\xc3\xa9"},
	} {
		got, err := sasl.DecodeBase64([]byte(tt.line))
		switch {
		case tt.ok && (err != nil || got == nil || string(got) != tt.want):
			t.Errorf("DecodeBase64(%q) = %q, %v; want %q", tt.line, got, err, tt.want)
		case !tt.ok && !errors.Is(err, sasl.ErrMalformed):
			t.Errorf("DecodeBase64(%q) = %q, %v; want ErrMalformed", tt.line, got, err)
		}
	}
}

func TestInitialResponse(t *testing.T) {
	t.Parallel()
	for _, b := range []string{"", "a", "\x00tim\x00tanstaaf"} {
		got, err := sasl.DecodeInitialResponse([]byte(sasl.EncodeInitialResponse([]byte(b))))
		if err != nil || got == nil || string(got) != b {
			t.Errorf("initial response %q comes back as %q, %v", b, got, err)
		}
	}
	if got := sasl.EncodeInitialResponse(nil); got != "=" {
		t.Errorf("EncodeInitialResponse(nil) = %q, want =", got)
	}
	if _, err := sasl.DecodeInitialResponse(nil); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("DecodeInitialResponse of nothing: %v, want ErrMalformed", err)
	}
}

func FuzzDecodeBase64(f *testing.F) {
	f.Add([]byte("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"))
	f.Add([]byte("AB=="))
	f.Add([]byte("A\nAAA"))
	f.Fuzz(func(t *testing.T, line []byte) {
		b, err := sasl.DecodeBase64(line)
		if err != nil {
			return
		}
		// Strict means that each result has exactly one way to be written.
		if got := sasl.EncodeBase64(b); !bytes.Equal([]byte(got), line) {
			t.Errorf("DecodeBase64(%q) is taken, but it is written %q", line, got)
		}
	})
}
