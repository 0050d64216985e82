package discover

import (
	"strings"
	"testing"
)

// The records of RFC 6186 and what is made of them.
func TestSRV(t *testing.T) {
	t.Parallel()
	type rr struct {
		service                string
		priority, weight, port uint16
		target                 string
	}
	for _, tt := range []struct {
		name    string
		records []rr
		want    string // URL, "!" behind those to be confirmed
		problem string // in one of the steps
	}{
		{"implicit TLS", []rr{{"pop3s", 0, 1, 995, "pop.example.net."}}, "pop3s://pop.example.net", ""},
		{"STLS", []rr{{"pop3", 0, 1, 110, "pop.example.net."}}, "pop3://pop.example.net", ""},
		{"implicit TLS goes first, whatever its priority", []rr{{"pop3", 0, 1, 110, "a.example.net."}, {"pop3s", 10, 1, 995, "b.example.net."}}, "pop3s://b.example.net pop3://a.example.net", ""},
		{"priorities within a service", []rr{{"pop3s", 20, 9, 995, "c.example.net."}, {"pop3s", 0, 0, 995, "a.example.net."}, {"pop3s", 10, 1, 995, "b.example.net."}}, "pop3s://a.example.net pop3s://b.example.net pop3s://c.example.net", ""},
		{"other ports", []rr{{"pop3s", 0, 1, 1995, "pop.example.net."}}, "pop3s://pop.example.net:1995", ""},
		{"not offered", []rr{{"pop3s", 0, 0, 0, "."}, {"pop3", 0, 0, 0, "."}}, "", "says that there is no such service"},
		{"one of two not offered, as in RFC 6186 3.4", []rr{{"pop3", 0, 0, 0, "."}, {"pop3s", 10, 1, 995, "pop.example.net."}, {"imap", 0, 0, 0, "."}, {"imaps", 0, 1, 993, "imap.example.net."}}, "pop3s://pop.example.net imaps://imap.example.net", "says that there is no such service"},
		{"IMAP only", []rr{{"imaps", 0, 1, 993, "imap.example.net."}, {"imap", 0, 1, 143, "imap.example.net."}}, "imaps://imap.example.net imap://imap.example.net", ""},
		{"somebody else", []rr{{"pop3s", 0, 1, 995, "pop.example.org."}}, "pop3s://pop.example.org!", ""},
		{"a name that only ends alike", []rr{{"pop3s", 0, 1, 995, "pop.badexample.net."}}, "pop3s://pop.badexample.net!", ""},
		{"the domain itself", []rr{{"pop3s", 0, 1, 995, "Example.NET."}}, "pop3s://example.net", ""},
		{"port 0", []rr{{"pop3s", 0, 1, 0, "pop.example.net."}}, "", "which cannot be"},
		{"a target that is no host", []rr{{"pop3s", 0, 1, 995, "localhost."}}, "", "which cannot be"},
		{"nothing", nil, "", "there is no record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "example.net")
			for _, r := range tt.records {
				w.srv(r.service, "example.net", r.priority, r.weight, r.port, r.target)
			}
			opt := w.options()
			opt.NoMX, opt.NoGuess = true, true
			r := find(t, bob(t), opt)
			var got []string
			for _, c := range r.Candidates {
				s := c.URL()
				if c.Confirm != "" {
					s += "!"
				}
				if c.Origin != FromSRV || strings.Join(c.Users, " ") != "bob@example.net bob" {
					t.Errorf("%+v", c)
				}
				got = append(got, s)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), tt.want)
			}
			problems := ""
			for _, s := range r.Steps {
				if s.Origin == FromSRV {
					problems += s.Problem + "\n"
				}
			}
			if !strings.Contains(problems, tt.problem) {
				t.Errorf("steps %+v, want one that says %q", r.Steps, tt.problem)
			}
		})
	}
}

// More records than anybody needs are cut off.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "example.net")
	for i := range uint16(maxRecords + 2) {
		w.srv("pop3s", "example.net", i, 0, 995, "p.example.net.")
	}
	opt := w.options()
	opt.NoMX, opt.NoGuess = true, true
	if r := find(t, bob(t), opt); len(r.Candidates) != maxRecords {
		t.Errorf("%d candidates, want %d", len(r.Candidates), maxRecords)
	}
}

// Well-known names bring what is built in about them with them.
func TestSRVToProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "example.net")
	w.srv("pop3s", "example.net", 5, 0, 995, "pop.gmail.com.")
	r := find(t, bob(t), w.options())
	if c := r.Candidates[0]; c.Provider != "gmail" || !c.OAuth || !c.Password || c.Confirm == "" || len(c.Users) != 1 {
		t.Errorf("%+v", c)
	}
}
