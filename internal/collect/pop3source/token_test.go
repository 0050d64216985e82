package pop3source_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// xoauth2 is the line of a sign-in with a token.
func xoauth2(token string) string {
	return "C: AUTH XOAUTH2 " + sasl.EncodeBase64([]byte("user=alice\x01auth=Bearer "+token+"\x01\x01"))
}

const (
	takesTokens = "S: +OK ready\nC: CAPA\nS: +OK\nS: SASL XOAUTH2\nS: .\n"
	signedIn    = "\nS: +OK\nC: CAPA\nS: +OK\nS: UIDL\nS: .\nC: QUIT\nS: +OK"
)

// refusal is what a server says to a token: a reason, and after the client's answer the end.
func refusal(end string) string {
	return "\nS: + " + sasl.EncodeBase64([]byte(`{"status":"invalid_token"}`)) + "\nC: \nS: -ERR " + end
}

// A token that the server does not take is replaced, and the new one tried on a new connection, once.
func TestTokens(t *testing.T) {
	t.Parallel()
	needsLogin := &collect.PermanentError{Err: errors.New("run: postamt fetch login alice")}
	away := &collect.TemporaryError{Err: errors.New("the provider is away")}
	for _, test := range []struct {
		name      string
		tokens    []any // a token or an error each time one is asked for
		dialogues []string
		refused   []string
		class     collect.Class
		says      string
	}{
		{name: "good", tokens: []any{"one"}, dialogues: []string{takesTokens + xoauth2("one") + signedIn}},
		{
			name: "thrown away before its time", tokens: []any{"one", "two"}, refused: []string{"one"},
			dialogues: []string{takesTokens + xoauth2("one") + refusal("[AUTH] no"), takesTokens + xoauth2("two") + signedIn},
		},
		{
			name: "the same without a reason", tokens: []any{"one", "two"}, refused: []string{"one"},
			dialogues: []string{
				takesTokens + xoauth2("one") + "\nS: -ERR Authentication failed",
				takesTokens + xoauth2("two") + signedIn,
			},
		},
		{
			name: "both refused", tokens: []any{"one", "two"}, refused: []string{"one"}, class: collect.Permanent, says: "the token is a new one",
			dialogues: []string{takesTokens + xoauth2("one") + refusal("[AUTH] no"), takesTokens + xoauth2("two") + refusal("[AUTH] no")},
		},
		{
			name: "both refused, for whatever reason", tokens: []any{"one", "two"}, refused: []string{"one"}, class: collect.Refused, says: "invalid_token",
			dialogues: []string{takesTokens + xoauth2("one") + refusal("no"), takesTokens + xoauth2("two") + refusal("no")},
		},
		{
			name: "there is no other token", tokens: []any{"one", "one"}, refused: []string{"one"}, class: collect.Permanent, says: "invalid_token",
			dialogues: []string{takesTokens + xoauth2("one") + refusal("[AUTH] no")},
		},
		{
			name: "somebody has to sign in", tokens: []any{"one", needsLogin}, refused: []string{"one"}, class: collect.Permanent, says: "postamt fetch login alice",
			dialogues: []string{takesTokens + xoauth2("one") + refusal("[AUTH] no")},
		},
		{name: "nobody has signed in", tokens: []any{needsLogin}, class: collect.Permanent, says: "postamt fetch login alice"},
		{name: "provider away", tokens: []any{away}, class: collect.Temporary, says: "provider is away"},
		{
			name: "mailbox in use", tokens: []any{"one"}, class: collect.Busy,
			dialogues: []string{takesTokens + xoauth2("one") + "\nS: -ERR [IN-USE] locked"},
		},
		{
			name: "server in trouble", tokens: []any{"one"}, class: collect.Temporary,
			dialogues: []string{takesTokens + xoauth2("one") + "\nS: -ERR [SYS/TEMP] later"},
		},
		{
			name: "no tokens taken", tokens: []any{"one"}, class: collect.Permanent,
			dialogues: []string{"S: +OK ready\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: ."},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cert, pool := pop3test.NewCertificate(t, "pop.example.com")
			config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			var scripts []pop3test.Script
			for _, d := range test.dialogues {
				scripts = append(scripts, pop3test.Script{pop3test.StartTLS(config)}.Then(pop3test.Dialogue(d).Then(pop3test.MayHangUp(), pop3test.ExpectHangUp())...))
			}
			opt := pop3source.Options{URL: "pop3s://alice@pop.example.com", Client: pop3client.Options{RootCAs: pool}}
			if len(scripts) > 0 {
				opt.Client.DialContext = pop3test.NewScriptedPeers(t, scripts...).DialTCP
			}
			var refused []string
			opt.TokenRefused = func(token string) { refused = append(refused, token) }
			opt.Token = func(context.Context) (string, error) {
				next := test.tokens[0]
				test.tokens = test.tokens[1:]
				if err, ok := next.(error); ok {
					return "", err
				}
				return next.(string), nil
			}
			s, err := pop3source.New(opt)
			if err != nil {
				t.Fatal(err)
			}
			session, err := s.Open(t.Context())
			if class := collect.Classify(err); class != test.class || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("Open: %v (%v), want %v with %q", err, class, test.class, test.says)
			}
			if strings.Join(refused, " ") != strings.Join(test.refused, " ") {
				t.Errorf("told of %q as refused, want %q", refused, test.refused)
			}
			if len(test.tokens) > 0 {
				t.Errorf("%d tokens were not asked for", len(test.tokens))
			}
			if err == nil {
				if err := session.Finish(t.Context()); err != nil {
					t.Error(err)
				}
				_ = session.Close()
			}
		})
	}
}
