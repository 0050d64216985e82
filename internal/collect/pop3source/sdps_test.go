package pop3source_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// The envelope comes by *ENV, before each message. Without it a message is not fetched.
func TestSDPS(t *testing.T) {
	t.Parallel()
	script := dialogue(greeting, noCapa, signIn, "C: CAPA", noCapa,
		"C: *ENV 1\nS: +OK\nS: 1\nS: punt.example.net\nS: eve@example.com\nS: bob@example.org\nS: .",
		"C: RETR 1\nS: +OK\nS: hello\nS: .",
		"C: *ENV 2\nS: -ERR no such command",
		"C: *ENV 3\nS: +OK\nS: 3\nS: .", quit)
	peer := pop3test.NewScriptedPeer(t, script...)
	s, err := pop3source.New(pop3source.Options{
		URL: "pop3://alice@pop.example.com", Password: secret, Cleartext: true, SDPS: true,
		Client: pop3client.Options{DialContext: peer.DialContext},
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	one := collect.Remote{Num: 1}
	session.Prepare(t.Context(), collect.OpRetrieve, []collect.Remote{one})
	sender, recipients, err := session.(collect.Enveloper).Envelope(t.Context(), one)
	if err != nil || sender != "eve@example.com" || !cmp.Equal(recipients, []string{"bob@example.org"}) {
		t.Errorf("envelope from %q to %q, %v", sender, recipients, err)
	}
	body, err := session.Retrieve(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(body); err != nil || string(text) != "hello\r\n" {
		t.Errorf("message %q, %v", text, err)
	}
	for _, test := range []struct {
		num  int
		want string
	}{{2, "no such command"}, {3, "no recipient"}} {
		_, _, err := session.(collect.Enveloper).Envelope(t.Context(), collect.Remote{Num: test.num})
		var of *collect.MessageError
		if !errors.As(err, &of) || of.Num != test.num || !strings.Contains(err.Error(), test.want) {
			t.Errorf("message %d: %v, want %q", test.num, err, test.want)
		}
	}
	if err := session.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}
