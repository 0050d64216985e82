package pop3client_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// speak is the server's end of a sign-in with mech: it ends with +OK or -ERR [AUTH].
func speak(mech string, server sasl.Server) pop3test.Step {
	return pop3test.ExpectFunc(func(line string) (pop3test.Script, error) { return answer(line, mech, server) })
}

// answer is speak for an AUTH line that was read already.
func answer(line, mech string, server sasl.Server) (pop3test.Script, error) {
	ir, ok := strings.CutPrefix(line, "AUTH "+mech+" ")
	if !ok {
		return nil, fmt.Errorf("got %q, want AUTH %s with an initial response", line, mech)
	}
	response, err := sasl.DecodeInitialResponse([]byte(ir))
	if err != nil {
		return nil, err
	}
	return turn(server, response)
}

// turn hands a response to the server and plays what it says to that.
func turn(server sasl.Server, response []byte) (pop3test.Script, error) {
	challenge, done, err := server.Next(response)
	if err != nil {
		return pop3test.Script{pop3test.Reply("-ERR [AUTH] no")}, nil
	}
	return pop3test.Script{pop3test.Reply("+ " + sasl.EncodeBase64(challenge)), pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
		if line == "*" {
			return pop3test.Script{pop3test.Reply("-ERR cancelled")}, nil
		}
		if done {
			return pop3test.Script{pop3test.Reply("+OK")}, nil
		}
		response, err := sasl.DecodeBase64([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		return turn(server, response)
	})}, nil
}

// scramServer knows mrose and secret.
func scramServer(t *testing.T, hash sasl.ScramHash) *sasl.ScramServer {
	t.Helper()
	credentials, err := sasl.DeriveScramCredentials(hash, "secret", []byte("salt of the sea"), sasl.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	return sasl.NewScramServer(hash, sasl.ScramServerOptions{
		Lookup: func(string, string) (sasl.ScramCredentials, error) { return credentials, nil },
	})
}

func TestLoginSCRAM(t *testing.T) {
	t.Parallel()
	offer := pop3test.Dialogue("S: +OK\nC: CAPA\nS: +OK\nS: SASL PLAIN SCRAM-SHA-1 SCRAM-SHA-256\nS: .")
	t.Run("in the clear", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(speak("SCRAM-SHA-256", scramServer(t, sasl.SHA256))), func(o *pop3client.Options) { o.AllowCleartext = false })
		if err := c.Login(t.Context(), "mrose", "secret"); err != nil || !c.SignedIn() {
			t.Errorf("Login: %v", err)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(speak("SCRAM-SHA-256", scramServer(t, sasl.SHA256))))
		if err := c.Login(t.Context(), "mrose", "wrong"); !pop3.IsAuth(err) || c.SignedIn() {
			t.Errorf("Login: %v, want [AUTH]", err)
		}
	})
	t.Run("success without the server's proof (C-059)", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(pop3test.ExpectFunc(func(string) (pop3test.Script, error) {
			return pop3test.Script{pop3test.Reply("+OK welcome")}, nil
		}), pop3test.ExpectHangUp()))
		if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrServerProof) || c.SignedIn() {
			t.Errorf("Login: %v, want ErrServerProof", err)
		}
	})
	t.Run("another server's proof (C-059)", func(t *testing.T) {
		t.Parallel()
		forged := func(response []byte) ([]byte, bool, error) { return []byte("v=" + b64("forged")), true, nil }
		c := dial(t, offer.Then(pop3test.MayHangUp(), speak("SCRAM-SHA-256", &swapFinal{Server: scramServer(t, sasl.SHA256), final: forged})))
		if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrServerProof) || c.SignedIn() {
			t.Errorf("Login: %v, want ErrServerProof", err)
		}
		if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("second Login: %v, want ErrClosed", err)
		}
	})
}

// swapFinal is a server whose last message is another one.
type swapFinal struct {
	sasl.Server
	turns int
	final func([]byte) ([]byte, bool, error)
}

func (s *swapFinal) Next(response []byte) ([]byte, bool, error) {
	s.turns++
	if s.turns == 1 {
		return s.Server.Next(response)
	}
	return s.final(response)
}
