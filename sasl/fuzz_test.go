package sasl_test

import (
	"strings"
	"testing"

	"github.com/postamt/postamt/sasl"
)

// The fuzzers hold that no input makes an exchange panic, succeed without the credentials, run on after its end, or answer
// with more than it was given and its own few octets. Messages of one exchange are separated by line feeds.

func FuzzServers(f *testing.F) {
	for _, v := range scramVectors {
		f.Add(v.clientFirst + "\n" + v.clientFinal)
	}
	f.Add("\x00tim\x00tanstaaf")
	f.Add("\ntim\ntanstaaf")
	f.Add("\n" + cramAnswer)
	f.Add(rfcBearer + "\n\x01")
	f.Add("\n" + googleXOAuth2 + "\n")
	f.Add("p=tls-exporter,a=boss,n=us=2Cer,r=abc,x=y")
	cred, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", []byte("salt"), 4096)
	if err != nil {
		f.Fatal(err)
	}
	lookup := func(string, string) (sasl.ScramCredentials, error) { return cred, nil }
	nonce := func() string { return "server" }
	refuse := func(string, string, string) error { return sasl.ErrCredentials }
	f.Fuzz(func(t *testing.T, in string) {
		for _, s := range []sasl.NamedServer{
			sasl.NewPlainServer(refuse),
			sasl.NewLoginServer(func(user, pass string) error { return refuse("", user, pass) }),
			sasl.NewCRAMMD5Server("<another@challenge>", secretOfTim),
			sasl.NewOAuthBearerServer(func(b sasl.Bearer) (string, error) { return b.User, refuse("", b.User, b.Token) }),
			sasl.NewXOAuth2Server(func(b sasl.Bearer) (string, error) { return b.User, refuse("", b.User, b.Token) }),
			sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: lookup, Nonce: nonce}),
			sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{
				Lookup: lookup, Nonce: nonce, PlusOffered: true,
				Bindings: []sasl.ChannelBinding{{Type: sasl.BindingTLSExporter, Data: []byte("x")}},
			}),
		} {
			failed := false
			for i, msg := range strings.Split(in, "\n") {
				resp := []byte(msg)
				if i == 0 && msg == "" {
					resp = nil
				}
				challenge, done, err := s.Next(resp)
				switch {
				case done:
					t.Fatalf("%T let %q in", s, in)
				case failed && err == nil:
					t.Fatalf("%T went on after an error: %q", s, in)
				case (err == nil) != (challenge != nil):
					t.Fatalf("%T: challenge %q with error %v", s, challenge, err)
				case len(challenge) > len(msg)+200:
					t.Fatalf("%T answered %d octets to %d", s, len(challenge), len(msg))
				}
				failed = failed || err != nil
			}
			if authz, user := s.Names(); len(authz) > 20*sasl.MaxName || len(user) > 20*sasl.MaxName {
				t.Fatalf("%T keeps names of %d and %d octets", s, len(authz), len(user))
			}
		}
	})
}

func FuzzClients(f *testing.F) {
	for _, v := range scramVectors {
		f.Add(v.serverFirst + "\n" + v.serverFinal)
	}
	f.Add(cramChallenge)
	f.Add("Username:\nPassword:\nmore")
	f.Add(`{"status":"invalid_token","scope":"mail","openid-configuration":"https://example.com/"}` + "\n{}")
	f.Add(`{"status":400,"scope":["a"]}`)
	f.Add("r=abcdef,s=AAAA,i=4096,x=y\nv=AAAA,x=y")
	f.Add("r=abcdef,s=AAAA,i=4096\ne=other-error")
	f.Fuzz(func(t *testing.T, in string) {
		scramClient := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{
			User: "user", Password: "pencil", MinIterations: 1, MaxIterations: 4096, Nonce: func() string { return "abc" },
		})
		for _, c := range []sasl.Client{
			scramClient,
			sasl.NewPlainClient("", "user", "pencil"),
			sasl.NewLoginClient("user", "pencil"),
			sasl.NewCRAMMD5Client("user", "pencil"),
			sasl.NewOAuthBearerClient(sasl.Bearer{User: "user", Token: "pencil"}),
			sasl.NewXOAuth2Client(sasl.Bearer{User: "user", Token: "pencil"}),
		} {
			if _, _, err := c.Start(); err != nil {
				t.Fatal(err)
			}
			failed := false
			for _, msg := range strings.Split(in, "\n") {
				resp, err := c.Next([]byte(msg))
				switch {
				case failed && err == nil:
					t.Fatalf("%T went on after an error: %q", c, in)
				case (err == nil) != (resp != nil):
					t.Fatalf("%T: response %q with error %v", c, resp, err)
				case len(resp) > len(msg)+200:
					t.Fatalf("%T answered %d octets to %d", c, len(resp), len(msg))
				}
				failed = failed || err != nil
			}
			if b, ok := c.(*sasl.BearerClient); ok && b.Refused() != nil && (strings.Contains(b.Refused().Error(), "pencil") || len(b.Refused().Error()) > 4000) {
				t.Fatalf("error %q", b.Refused())
			}
		}
		if scramClient.Verified() && !strings.Contains(in, "v=") {
			t.Fatalf("server is believed without a proof: %q", in)
		}
	})
}

// No error may have a part of a message in it: messages are passwords.
func TestErrorsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	refuse := func(string, string, string) error { return sasl.ErrCredentials }
	for name, s := range map[string]func() sasl.Server{
		"PLAIN": func() sasl.Server { return sasl.NewPlainServer(refuse) },
		"LOGIN": func() sasl.Server {
			return sasl.NewLoginServer(func(u, p string) error { return refuse("", u, p) })
		},
		"CRAM-MD5": func() sasl.Server { return sasl.NewCRAMMD5Server(cramChallenge, secretOfTim) },
		"OAUTHBEARER": func() sasl.Server {
			return sasl.NewOAuthBearerServer(func(b sasl.Bearer) (string, error) { return "", refuse("", b.User, b.Token) })
		},
		"XOAUTH2": func() sasl.Server {
			return sasl.NewXOAuth2Server(func(b sasl.Bearer) (string, error) { return "", refuse("", b.User, b.Token) })
		},
		"SCRAM": func() sasl.Server {
			return sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: fakeLookup})
		},
	} {
		for _, msg := range []string{
			secret, secret + "\x00", "\x00" + secret + "\x00" + secret, "\x00user\x00" + secret + "\x00",
			"\x00" + secret + "\xff\x00" + secret, secret + ",,n=x,r=y", "n,,n=" + secret + ",r=\x00", "n,,n=" + secret + "=,r=x",
			"n,a=" + secret + "=,n=x,r=y", secret + " " + secret,
			"n,,\x01auth=Bearer " + secret + "\x01\x01", "user=u\x01auth=Bearer " + secret + "\x01\x01", "user=" + secret + "\x01" + secret,
		} {
			exchange := s()
			for range 3 {
				if _, _, err := exchange.Next([]byte(msg)); err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: error %q shows the message", name, err)
				}
			}
		}
	}
}
