package probe_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/internal/testpeers"
)

// Debian's Dovecot, as it is.
func TestDovecot(t *testing.T) {
	t.Parallel()
	d := testpeers.StartDovecot(t, "", testpeers.DovecotUser{Name: "alice", Password: "open sesame", Messages: [][]byte{[]byte(letter), []byte(letter + letter)}})
	number := func(addr string) int {
		n, err := strconv.Atoi(testpeers.Port(addr))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	r := run(t, probe.Options{
		RootCAs: d.Pool, User: "alice", Password: func(context.Context) (string, error) { return "open sesame", nil },
		Ports: []probe.PortOption{{Port: number(d.POP3S), Security: "tls"}, {Port: number(d.POP3), Security: "stls"}},
	})
	for _, p := range r.Ports {
		if !p.Usable() || p.Greeting != "Dovecot ready." && p.Greeting == "" || p.Pipelining != probe.PipeliningWorks || !slices.Contains(p.Mechanisms, "PLAIN") {
			t.Errorf("%+v", p)
		}
	}
	if m := r.Mailbox; !m.SignedIn || m.Problem != "" || m.Messages != 2 || !m.UIDL || m.TOP == nil || !*m.TOP || m.Pipelining != probe.PipeliningWorks {
		t.Errorf("%+v", m)
	}
	if got := ids(r); got != "cleartext" { // the test turns that on
		t.Errorf("quirks %q", got)
	}
	if d.Left(t, "alice") != 2 {
		t.Error("the mailbox has changed")
	}
}
