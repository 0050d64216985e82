package sasl_test

import (
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/sasl"
)

// Each mechanism's client signs in at this package's own server, under the mechanism's name, and not with other credentials.
func TestNewClient(t *testing.T) {
	t.Parallel()
	binding := sasl.ChannelBinding{Type: sasl.BindingTLSExporter, Data: []byte("of the connection")}
	scram := func(hash sasl.ScramHash, bindings ...sasl.ChannelBinding) func() sasl.Server {
		kept, err := sasl.DeriveScramCredentials(hash, "secret", []byte("salt of the sea"), sasl.MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		return func() sasl.Server {
			return sasl.NewScramServer(hash, sasl.ScramServerOptions{
				Bindings: bindings, PlusOffered: true,
				Lookup: func(authz, user string) (sasl.ScramCredentials, error) {
					if authz != "" || user != "mrose" {
						return kept, sasl.ErrCredentials
					}
					return kept, nil
				},
			})
		}
	}
	check := func(user, pass string) error {
		if user != "mrose" || pass != "secret" {
			return sasl.ErrCredentials
		}
		return nil
	}
	bearer := func(want sasl.Bearer) func(sasl.Bearer) (string, error) {
		return func(b sasl.Bearer) (string, error) {
			if b != want {
				return "", &sasl.TokenError{Status: "invalid_token"}
			}
			return b.User, nil
		}
	}
	right := sasl.ClientOptions{
		User: "mrose", Password: "secret", Token: "a-token", Host: "pop.example.com", Port: 995,
		Offered: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}, Binding: &binding,
	}
	for mech, server := range map[string]func() sasl.Server{
		sasl.ScramSHA256Plus: scram(sasl.SHA256, binding),
		sasl.ScramSHA256:     scram(sasl.SHA256),
		sasl.ScramSHA1Plus:   scram(sasl.SHA1, binding),
		sasl.ScramSHA1:       scram(sasl.SHA1),
		sasl.CRAMMD5: func() sasl.Server {
			return sasl.NewCRAMMD5Server("<1@x>", func(user string) ([]byte, error) { return []byte("secret"), check(user, "secret") })
		},
		sasl.Plain: func() sasl.Server {
			return sasl.NewPlainServer(func(authz, user, pass string) error { return check(authz+user, pass) })
		},
		sasl.Login: func() sasl.Server { return sasl.NewLoginServer(check) },
		sasl.OAuthBearer: func() sasl.Server {
			return sasl.NewOAuthBearerServer(bearer(sasl.Bearer{User: "mrose", Token: "a-token", Host: "pop.example.com", Port: 995}))
		},
		sasl.XOAuth2: func() sasl.Server {
			return sasl.NewXOAuth2Server(bearer(sasl.Bearer{User: "mrose", Token: "a-token"}))
		},
	} {
		for _, name := range []string{mech, strings.ToLower(mech)} {
			client, err := sasl.NewClient(name, right)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			n := &named{Client: client}
			if err := talk(n, server()); n.mech != mech || err != nil {
				t.Errorf("%s starts as %s: %v", name, n.mech, err)
			}
			mutual, ok := client.(sasl.MutualClient)
			if scram := strings.HasPrefix(mech, "SCRAM"); ok != scram || scram && !mutual.Verified() {
				t.Errorf("%s: mutual %v, want %v with the server's proof", name, ok, scram)
			}
		}
		wrong := right
		wrong.Password, wrong.Token = "guess", "guess"
		client, err := sasl.NewClient(mech, wrong)
		if err != nil {
			t.Fatal(err)
		}
		if err := talk(client, server()); !errors.Is(err, sasl.ErrCredentials) {
			t.Errorf("%s with other credentials: %v", mech, err)
		}
	}
}

// named is a client that remembers its mechanism's name.
type named struct {
	sasl.Client
	mech string
}

func (n *named) Start() (mech string, ir []byte, err error) {
	n.mech, ir, err = n.Client.Start()
	return n.mech, ir, err
}

// How SCRAM begins tells the server what the client knows of channel binding (RFC 5802 §6).
func TestNewClientBinding(t *testing.T) {
	t.Parallel()
	const plus, without = "PLAIN SCRAM-SHA-1-PLUS scram-sha-256-plus SCRAM-SHA-256", "PLAIN SCRAM-SHA-256"
	for _, tt := range []struct {
		name, mech, offered string
		bind                bool
		want                string
	}{
		{"bound", "SCRAM-SHA-256-PLUS", plus, true, "p=tls-exporter,,"},
		{"bound, with SHA-1", "SCRAM-SHA-1-PLUS", plus, true, "p=tls-exporter,,"},
		{"bound, the list not known", "SCRAM-SHA-256-PLUS", "", true, "p=tls-exporter,,"},
		{"no binding here", "SCRAM-SHA-256", plus, false, "n,,"},
		{"no binding on either side", "SCRAM-SHA-256", without, false, "n,,"},
		{"none offered", "SCRAM-SHA-256", without, true, "y,,"},
		{"offered, not used", "SCRAM-SHA-256", plus, true, "n,,"},
		{"one in lower case, not used", "SCRAM-SHA-1", "scram-sha-256-plus", true, "n,,"},
		{"the list not known", "SCRAM-SHA-256", "", true, "n,,"},
	} {
		opt := sasl.ClientOptions{User: "user", Password: "pencil", Offered: strings.Fields(tt.offered)}
		if tt.bind {
			opt.Binding = &sasl.ChannelBinding{Type: sasl.BindingTLSExporter, Data: []byte("data")}
		}
		client, err := sasl.NewClient(tt.mech, opt)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		mech, first, err := client.Start()
		if mech != tt.mech || err != nil || !strings.HasPrefix(string(first), tt.want) {
			t.Errorf("%s: %s begins with %q (%v), want %q", tt.name, mech, first, err, tt.want)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	opt := sasl.ClientOptions{User: "user", Password: "pencil", Token: "a-token"}
	for _, mech := range []string{"", "GSSAPI", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN ", strings.Repeat("X", 1000)} {
		client, err := sasl.NewClient(mech, opt)
		if client != nil || !errors.Is(err, sasl.ErrMechanism) || len(err.Error()) > 100 {
			t.Errorf("NewClient(%.30q) = %v, %v, want ErrMechanism", mech, client, err)
		}
	}
	// What SelectMechanism may choose on such a connection has a client, always.
	for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"} {
		if _, err := sasl.NewClient(mech, opt); err != nil {
			t.Errorf("NewClient(%s): %v", mech, err)
		}
	}
}

func TestClientBinding(t *testing.T) {
	t.Parallel()
	renegotiating := func(c *tls.Config) { c.Renegotiation = tls.RenegotiateOnceAsClient } // its keys are not bound to the connection
	for _, tt := range []struct {
		name  string
		curve elliptic.Curve
		alg   x509.SignatureAlgorithm
		edit  func(*tls.Config)
		want  string
	}{
		{"keys bound to the connection", elliptic.P256(), x509.ECDSAWithSHA256, func(*tls.Config) {}, "tls-exporter"},
		{"the certificate instead", elliptic.P256(), x509.ECDSAWithSHA256, renegotiating, "tls-server-end-point"},
		{"neither", nil, x509.PureEd25519, renegotiating, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, server := handshake(t, newCert(t, tt.curve, tt.alg), tls.VersionTLS12, tt.edit)
			got := sasl.ClientBinding(&client)
			var want *sasl.ChannelBinding
			if b, err := sasl.TLSExporter(&server); err == nil && tt.want == sasl.BindingTLSExporter {
				want = &b
			} else if b, err := sasl.TLSServerEndPoint(client.PeerCertificates[0]); err == nil {
				want = &b
			}
			if diff := cmp.Diff(want, got); diff != "" || got != nil && got.Type != tt.want || got == nil && tt.want != "" {
				t.Errorf("ClientBinding = %v, want %s (-want +got)\n%s", got, tt.want, diff)
			}
		})
	}
	for name, state := range map[string]*tls.ConnectionState{"no TLS": nil, "no handshake": {}} {
		if b := sasl.ClientBinding(state); b != nil {
			t.Errorf("%s: %v", name, b)
		}
	}
}
