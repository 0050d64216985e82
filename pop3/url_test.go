package pop3_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/pop3"
)

var urls = []struct {
	in      string
	want    pop3.URL
	address string
	out     string // empty: like in
}{
	// RFC 2384 §7.
	{"pop://rg@mailsrv.qualcomm.com", pop3.URL{User: "rg", Host: "mailsrv.qualcomm.com"}, "mailsrv.qualcomm.com:110", ""},
	{"pop://rg;AUTH=+APOP@mail.eudora.com:8110", pop3.URL{User: "rg", Auth: "+APOP", Host: "mail.eudora.com", Port: 8110}, "mail.eudora.com:8110", ""},
	{"pop://baz;AUTH=SCRAM-MD5@foo.bar", pop3.URL{User: "baz", Auth: "SCRAM-MD5", Host: "foo.bar"}, "foo.bar:110", ""},

	{"POP://h", pop3.URL{Host: "h"}, "h:110", "pop://h"},
	{"pop://h:110", pop3.URL{Host: "h", Port: 110}, "h:110", "pop://h"},
	{"pop://;auth=*@h", pop3.URL{Auth: "*", Host: "h"}, "h:110", "pop://;AUTH=*@h"},
	{"pop://a%40b%3bc@h", pop3.URL{User: "a@b;c", Host: "h"}, "h:110", "pop://a%40b%3Bc@h"},
	{"pop://j%C3%BCrgen@h", pop3.URL{User: "j\u00fcrgen", Host: "h"}, "h:110", ""},
	{"pop://u@[2001:db8::1]:995", pop3.URL{User: "u", Host: "2001:db8::1", Port: 995}, "[2001:db8::1]:995", ""},
	{"pop://[::1]", pop3.URL{Host: "::1"}, "[::1]:110", ""},
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, tt := range urls {
		got, err := pop3.ParseURL(tt.in)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.in, d)
		}
		if got.Address() != tt.address {
			t.Errorf("%s: address %s", tt.in, got.Address())
		}
		want := tt.out
		if want == "" {
			want = tt.in
		}
		if got.String() != want {
			t.Errorf("%s: written as %s", tt.in, got)
		}
	}
}

func TestParseURLRefuses(t *testing.T) { // C-091, C-095
	t.Parallel()
	for _, in := range []string{
		"", "pop:", "pop://", "imap://h", "h", "pop://h/", "pop://h/x", "pop://h?x", "pop://h#x", "pop://u:hunter2@h", "pop://@h",
		"pop://u;@h", "pop://u;AUTH=@h", "pop://u;AUTH=+@h", "pop://u;X=y@h", "pop://u@h:", "pop://u@h:0", "pop://u@h:65536", "pop://u@h:x",
		"pop://u@h:-1", "pop://[::1", "pop://[1.2.3.4]", "pop://[::1]x", "pop://[fe80::1%25eth0]", "pop://::1", "pop://a b@h", "pop://a@b@h",
		"pop://%@h", "pop://%4@h", "pop://%zz@h", "pop://a%0d%0aDELE@h", "pop://h\r\n", "pop://" + strings.Repeat("h", 254),
	} {
		got, err := pop3.ParseURL(in)
		if !errors.Is(err, pop3.ErrURL) {
			t.Errorf("%q: %+v, %v", in, got, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// FuzzURL: what is read can be written and read again.
func FuzzURL(f *testing.F) {
	for _, tt := range urls {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := pop3.ParseURL(in)
		if err != nil {
			return
		}
		again, err := pop3.ParseURL(u.String())
		if err != nil {
			t.Fatalf("%q, written as %q: %v", in, u, err)
		}
		if again.Port == 0 {
			again.Port = pop3.Port
		}
		if u.Port == 0 {
			u.Port = pop3.Port
		}
		if again != u {
			t.Fatalf("%q: %+v became %+v", in, u, again)
		}
	})
}

// FuzzParse: no line makes the parsers panic, and what they take is well-formed.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"+OK", "-ERR [IN-USE] x", "-ERR [a/b/c] [d]", "SASL PLAIN LOGIN", "EXPIRE 5 USER", "\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if st, err := pop3.ParseStatus(line); err == nil && strings.ContainsAny(string(st.Code), " []\r\n") {
			t.Errorf("code %q", st.Code)
		}
		if c, err := pop3.ParseCapability(line); err == nil {
			again, err := pop3.ParseCapability(c.String())
			if err != nil || !cmp.Equal(c, again) {
				t.Errorf("%q became %q, %v", c, again, err)
			}
			cs := pop3.Capabilities{c}
			cs.Expire()
			cs.LoginDelay()
			cs.SASL()
		}
		for _, r := range pop3.Printable(line) {
			if r < ' ' || r == 0x7F {
				t.Errorf("%q is not printable", r)
			}
		}
	})
}
