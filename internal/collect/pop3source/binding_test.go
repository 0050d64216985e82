package pop3source_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// Who refuses a sign-in with channel binding does not get one without: it might be somebody in between. A person is told
// what it may be.
func TestRefusedWithChannelBinding(t *testing.T) {
	t.Parallel()
	const host = "pop.example.com"
	cert, pool := pop3test.NewCertificate(t, host)
	bound := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
		if !strings.HasPrefix(line, "AUTH SCRAM-SHA-256-PLUS ") {
			return nil, fmt.Errorf("got %q", line)
		}
		return pop3test.Dialogue("S: -ERR [AUTH] authenticating: bad protocol / cancel"), nil
	})
	peer := pop3test.NewScriptedPeer(t, pop3test.StartTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), pop3test.Reply("+OK"),
		pop3test.Expect("CAPA"), pop3test.Reply("+OK", "SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "."), bound, pop3test.ExpectHangUp())
	s, err := pop3source.New(pop3source.Options{
		URL: "pop3s://alice@" + host, Password: secret, Client: pop3client.Options{RootCAs: pool, DialContext: peer.DialTCP},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context()); collect.Classify(err) != collect.Permanent || !strings.Contains(err.Error(), "without -PLUS") {
		t.Errorf("%v is %v", err, collect.Classify(err))
	}
	if n := peer.Conns(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}
