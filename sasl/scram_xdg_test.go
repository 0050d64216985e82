package sasl_test

import (
	"fmt"
	"testing"

	"github.com/postamt/postamt/sasl"
	"github.com/xdg-go/scram"
)

// xdgClient makes github.com/xdg-go/scram's client a sasl.Client.
type xdgClient struct{ *scram.ClientConversation }

func (c xdgClient) Start() (string, []byte, error) {
	s, err := c.Step("")
	return "", []byte(s), err
}

func (c xdgClient) Next(challenge []byte) ([]byte, error) {
	s, err := c.Step(string(challenge))
	return []byte(s), err
}

// Verified says what RFC 5802 means by it: their Valid is set once the server's proof was checked.
func (c xdgClient) Verified() bool { return c.Valid() }

// xdgServer makes github.com/xdg-go/scram's server a sasl.Server.
type xdgServer struct{ *scram.ServerConversation }

func (s xdgServer) Next(response []byte) ([]byte, bool, error) {
	challenge, err := s.Step(string(response))
	if err != nil {
		return nil, false, err
	}
	return []byte(challenge), s.Done(), nil
}

func TestScramAgainstXDG(t *testing.T) {
	t.Parallel()
	binding := sasl.ChannelBinding{Type: sasl.BindingTLSExporter, Data: []byte("01234567890123456789012345678901")}
	theirBinding := scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: binding.Data}
	for _, h := range []struct {
		ours   sasl.ScramHash
		theirs scram.HashGeneratorFcn
	}{{sasl.SHA1, scram.SHA1}, {sasl.SHA256, scram.SHA256}} {
		for _, who := range []struct{ authz, user, stored, typed string }{
			{"", "user", "pencil", "pencil"},
			{"boss", "user", "pencil", "pencil"},
			{"", "u=s,er", "p,=c", "p,=c"},
			{"", "\u00e4rger", "Stra\u00dfe", "Stra\u00dfe"},
			{"", "user", "I\u00adX", "\u2168"},
			{"", "user", "pencil", "pen"},
		} {
			for _, plus := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%q/plus=%v", h.ours.Mechanism(plus), who, plus), func(t *testing.T) {
					t.Parallel()
					salt := sasl.NewSalt()
					cred, err := sasl.DeriveScramCredentials(h.ours, who.stored, salt, 4096)
					if err != nil {
						t.Fatal(err)
					}
					right := who.typed != "pen"

					// Their client, our server.
					tc, err := h.theirs.NewClient(who.user, who.typed, who.authz)
					if err != nil {
						t.Fatal(err)
					}
					conv := tc.NewConversation()
					opt := sasl.ScramServerOptions{
						PlusOffered: plus,
						Lookup:      func(string, string) (sasl.ScramCredentials, error) { return cred, nil },
					}
					if plus {
						conv = tc.NewConversationWithChannelBinding(theirBinding)
						opt.Bindings = []sasl.ChannelBinding{{Type: "tls-server-end-point", Data: []byte("x")}, binding}
					}
					s := sasl.NewScramServer(h.ours, opt)
					if err := talk(xdgClient{conv}, s); (err == nil) != right {
						t.Errorf("their client, our server: %v", err)
					}
					if authz, user := s.Names(); authz != who.authz || user != who.user {
						t.Errorf("our server heard %q, %q", authz, user)
					}

					// Our client, their server.
					ts, err := h.theirs.NewServer(func(string) (scram.StoredCredentials, error) {
						return scram.StoredCredentials{
							KeyFactors: scram.KeyFactors{Salt: string(salt), Iters: 4096},
							StoredKey:  cred.StoredKey, ServerKey: cred.ServerKey,
						}, nil
					})
					if err != nil {
						t.Fatal(err)
					}
					copt := sasl.ScramClientOptions{Authz: who.authz, User: who.user, Password: who.typed, NoPlusOffered: !plus}
					sconv := ts.NewConversation()
					if plus {
						copt.Binding = &binding
						sconv = ts.NewConversationWithChannelBindingRequired(theirBinding)
					}
					c := sasl.NewScramClient(h.ours, copt)
					if err := talk(c, xdgServer{sconv}); (err == nil) != right || c.Verified() != right {
						t.Errorf("our client, their server: %v, Verified %v", err, c.Verified())
					}
					if sconv.Valid() != right || right && (sconv.AuthzID() != who.authz || sconv.Username() != who.user) {
						t.Errorf("their server: valid %v, heard %q, %q", sconv.Valid(), sconv.AuthzID(), sconv.Username())
					}
				})
			}
		}
	}
}
