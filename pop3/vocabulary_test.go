package pop3_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/pop3"
)

func TestParseNum(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"1": 1, "01": 1, "42": 42, "2147483647": 2147483647} {
		if got, ok := pop3.ParseNum(in); got != want || !ok {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{
		"", "0", "00", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "x", "2147483648", "4294967296", "4294967297",
		"9223372036854775808", "18446744073709551616", "18446744073709551617", strings.Repeat("9", 1000), "\u0661",
	} {
		if got, ok := pop3.ParseNum([]byte(in)); ok {
			t.Errorf("%q: %d", in, got)
		}
	}
}

func TestParseOctets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"0": 0, "4294967296": 1 << 32, "9223372036854775807": 1<<63 - 1} {
		if got, ok := pop3.ParseOctets(in); got != want || !ok {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-0", "9223372036854775808", "9999999999999999999", "1 2"} {
		if got, ok := pop3.ParseOctets(in); ok {
			t.Errorf("%q: %d", in, got)
		}
	}
}

func TestValidUID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 71)
	for _, uid := range []string{"a", "!", "~", long[:70], "whqtswO00WBw418f9t5JxYwZ", "12345678", "123456789"} {
		if !pop3.ValidUID(uid) {
			t.Errorf("%q refused", uid)
		}
	}
	for _, uid := range []string{"", " ", "a b", "a\r", "\x7f", "\u00e9", long} {
		if pop3.ValidUID([]byte(uid)) {
			t.Errorf("%q taken", uid)
		}
	}
	// Every octet at every place of a longer one.
	for at := range 20 {
		for c := range 256 {
			uid := []byte(strings.Repeat("u", 20))
			uid[at] = byte(c)
			if got, want := pop3.ValidUID(uid), c >= 0x21 && c <= 0x7E; got != want {
				t.Errorf("octet %#x at %d: %v", c, at, got)
			}
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want pop3.Status
	}{
		{"+OK", pop3.Status{OK: true}}, // RFC 1957
		{"+OK ", pop3.Status{OK: true}},
		{"+OK 2 320", pop3.Status{OK: true, Text: "2 320"}},
		{"-ERR", pop3.Status{}},
		{"-ERR no", pop3.Status{Text: "no"}},
		{"-ERR [IN-USE] Do you have another POP session running?", pop3.Status{Code: "IN-USE", Text: "Do you have another POP session running?"}},
		{"-ERR [sys/temp/x] t", pop3.Status{Code: "SYS/TEMP/X", Text: "t"}},
		{"-ERR [AUTH]", pop3.Status{Code: "AUTH"}},
		{"+OK [] x", pop3.Status{OK: true, Text: "[] x"}},
		{"-ERR [a b] x", pop3.Status{Text: "[a b] x"}},
		{"-ERR [a//b] x", pop3.Status{Text: "[a//b] x"}},
		{"-ERR [a", pop3.Status{Text: "[a"}},
		{"-ERR  [AUTH] x", pop3.Status{Text: " [AUTH] x"}},
	}
	for _, tt := range tests {
		got, err := pop3.ParseStatus(tt.line)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%q: %s", tt.line, d)
		}
	}
	for _, line := range []string{"", "OK", "+ok", "+OKAY", "-ERROR", "* OK", " +OK", "220 smtp ready", "+"} {
		if got, err := pop3.ParseStatus(line); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestResponseCodeIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b pop3.ResponseCode
		want bool
	}{
		{"SYS/TEMP", "SYS/TEMP", true},
		{"sys/temp/disk", "SYS/TEMP", true},
		{"SYS/TEMPER", "SYS/TEMP", false},
		{"SYS", "SYS/TEMP", false},
		{"AUTH", "", false},
		{"", "AUTH", false},
	} {
		if got := tt.a.Is(tt.b); got != tt.want {
			t.Errorf("%q.Is(%q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got, want := pop3.Printable("a\x1b[2J\r\n\x00\u202eb\xffc\u00e9\u009b"), "a?[2J????b?c\u00e9?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// All that Unicode has to change the direction of text.
func TestPrintableKeepsDirection(t *testing.T) {
	t.Parallel()
	for _, r16 := range unicode.Bidi_Control.R16 {
		for r := rune(r16.Lo); r <= rune(r16.Hi); r += rune(r16.Stride) {
			if got := pop3.Printable("a" + string(r) + "b"); got != "a?b" {
				t.Errorf("%U: %q", r, got)
			}
		}
	}
}

func TestCapability(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]pop3.Capability{
		"TOP":                {Name: "TOP"},
		"tOp":                {Name: "TOP"},
		"SASL PLAIN  LOGIN ": {Name: "SASL", Params: []string{"PLAIN", "LOGIN"}},
		"X-FOO a b":          {Name: "X-FOO", Params: []string{"a", "b"}},
	} {
		got, err := pop3.ParseCapability(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", line, d)
		}
	}
	for _, line := range []string{"", "  ", "\x01", "caf\u00e9"} {
		if _, err := pop3.ParseCapability(line); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
	if got := (pop3.Capability{Name: "EXPIRE", Params: []string{"5", "USER"}}).String(); got != "EXPIRE 5 USER" {
		t.Errorf("String: %q", got)
	}
}

func TestCapabilityCheck(t *testing.T) { // S-131, S-146
	t.Parallel()
	good := []pop3.Capability{{Name: "TOP"}, {Name: "SASL", Params: []string{"PLAIN"}}, {Name: "X-OURS"}, {Name: "xours"}}
	for _, c := range good {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
	bad := []pop3.Capability{
		{},
		{Name: "A B"},
		{Name: "X.Y"},
		{Name: "OURS"},
		{Name: "SASL", Params: []string{""}},
		{Name: "SASL", Params: []string{"A\r\nB"}},
		{Name: "X", Params: []string{strings.Repeat("x", 509)}},
	}
	for _, c := range bad {
		if c.Check() == nil {
			t.Errorf("%q was taken", c)
		}
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	parse := func(lines ...string) (cs pop3.Capabilities) {
		for _, l := range lines {
			c, err := pop3.ParseCapability(l)
			if err != nil {
				t.Fatal(err)
			}
			cs = append(cs, c)
		}
		return cs
	}
	cs := parse("TOP", "SASL plain SCRAM-SHA-256", "LOGIN-DELAY 900 USER", "EXPIRE 5 user", "PIPELINING")
	if !cs.Has("top") || cs.Has("UIDL") || !cs.HasSASL("scram-sha-256") || cs.HasSASL("LOGIN") {
		t.Error("Has or HasSASL is wrong")
	}
	if d := cmp.Diff([]string{"PLAIN", "SCRAM-SHA-256"}, cs.SASL()); d != "" {
		t.Error(d)
	}
	if d, user, ok := cs.LoginDelay(); d != 15*time.Minute || !user || !ok {
		t.Errorf("LoginDelay: %v, %v, %v", d, user, ok)
	}
	if d, user, ok := cs.Expire(); d != 5 || !user || !ok {
		t.Errorf("Expire: %d, %v, %v", d, user, ok)
	}
	if d, _, ok := parse("EXPIRE never").Expire(); d != pop3.Never || !ok {
		t.Errorf("Expire never: %d, %v", d, ok)
	}
	for _, line := range []string{"EXPIRE", "EXPIRE x", "EXPIRE -1", "EXPIRE 99999999999", "LOGIN-DELAY", "LOGIN-DELAY x", "LOGIN-DELAY 9223372036854775807"} {
		cs := parse(line)
		if _, _, ok := cs.Expire(); ok {
			t.Errorf("%s was read", line)
		}
		if _, _, ok := cs.LoginDelay(); ok {
			t.Errorf("%s was read", line)
		}
	}
	if got := pop3.Capabilities(nil).SASL(); len(got) != 0 {
		t.Errorf("SASL of nothing: %q", got)
	}
}

func TestStateString(t *testing.T) {
	t.Parallel()
	for s, want := range map[pop3.State]string{0: "AUTHORIZATION", 1: "TRANSACTION", 2: "UPDATE", 3: "INVALID"} {
		if s.String() != want {
			t.Errorf("%d: %s", s, s)
		}
	}
}
