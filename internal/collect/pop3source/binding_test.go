package pop3source_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// A server that announces -PLUS and then knows no binding for TLS 1.3 (Cyrus 3.6) is signed in at without binding, on a
// new connection. Who allows nothing but -PLUS is not let down.
func TestServerThatTurnsTheBindingDown(t *testing.T) {
	t.Parallel()
	const host = "pop.example.com"
	cert, pool := pop3test.NewCertificate(t, host)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	credentials, err := sasl.DeriveScramCredentials(sasl.SHA256, "secret", []byte("salt of the sea"), sasl.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(auth ...pop3test.Step) pop3test.Script {
		script := pop3test.Script{pop3test.StartTLS(config), pop3test.Reply("+OK"), pop3test.Expect("CAPA"),
			pop3test.Reply("+OK", "SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", ".")}
		return append(script, auth...)
	}
	bound := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
		if !strings.HasPrefix(line, "AUTH SCRAM-SHA-256-PLUS ") {
			return nil, fmt.Errorf("got %q", line)
		}
		return pop3test.Dialogue("S: -ERR [AUTH] authenticating: bad protocol / cancel"), nil
	})
	for _, test := range []struct {
		name       string
		mechanisms []string
		conns      int
	}{{"any", nil, 2}, {"a list", []string{"scram-sha-256-plus", "SCRAM-SHA-256"}, 2}, {"-PLUS alone", []string{"SCRAM-SHA-256-PLUS"}, 1}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{
				Lookup: func(string, string) (sasl.ScramCredentials, error) { return credentials, nil },
			})
			turn := func(response []byte) (pop3test.Script, error) {
				challenge, _, err := server.Next(response)
				return pop3test.Script{pop3test.Reply("+ " + sasl.EncodeBase64(challenge))}, err
			}
			unbound := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
				ir, ok := strings.CutPrefix(line, "AUTH SCRAM-SHA-256 ")
				response, err := sasl.DecodeInitialResponse([]byte(ir))
				if !ok || err != nil || !strings.HasPrefix(string(response), "n,,") {
					return nil, fmt.Errorf("got %q, %q, %w", line, response, err)
				}
				return turn(response)
			})
			proof := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
				response, err := sasl.DecodeBase64([]byte(line))
				if err != nil {
					return nil, err
				}
				return turn(response)
			})
			peer := pop3test.NewScriptedPeers(t, begin(bound, pop3test.MayHangUp(), pop3test.Expect("CAPA"), pop3test.ExpectHangUp()),
				begin(unbound, proof, pop3test.Expect(""), pop3test.Reply("+OK"), pop3test.Expect("CAPA"), pop3test.Reply("-ERR"), pop3test.ExpectHangUp()))
			s, err := pop3source.New(pop3source.Options{
				URL: "pop3s://alice@" + host, Password: secret,
				Client: pop3client.Options{RootCAs: pool, DialContext: peer.DialTCP, Mechanisms: test.mechanisms},
			})
			if err != nil {
				t.Fatal(err)
			}
			session, err := s.Open(t.Context())
			if test.conns == 1 {
				if !errors.Is(err, pop3client.ErrBinding) || collect.Classify(err) != collect.Permanent {
					t.Errorf("%v is %v", err, collect.Classify(err))
				}
			} else if err != nil {
				t.Fatal(err)
			} else if err := session.Close(); err != nil {
				t.Error(err)
			}
			if n := peer.Conns(); n != test.conns {
				t.Errorf("%d connections, want %d", n, test.conns)
			}
		})
	}
}
