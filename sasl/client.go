package sasl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrMechanism: NewClient knows no such mechanism, or cannot use it on this connection.
var ErrMechanism = errors.New("sasl: no client for this mechanism")

// ClientOptions are somebody's credentials and what the client knows of the connection. A mechanism takes what it needs of
// them: User and Password, or Token with User, if it has one.
type ClientOptions struct {
	// User is the name to sign in with, as the person typed it.
	User string
	// Password is what all mechanisms but OAUTHBEARER and XOAUTH2 sign in with, as the person typed it.
	Password string
	// Token is the access token for OAUTHBEARER and XOAUTH2 (see Bearer).
	Token string
	// Host and Port are the server that the client means to talk to; empty and 0 to leave them out. Only OAUTHBEARER
	// sends them.
	Host string
	Port int
	// Offered is the whole list of mechanisms that the server sent. SCRAM takes it to let the server notice if somebody
	// took the -PLUS forms off it (RFC 5802 §6). Nil means that the list is not known.
	Offered []string
	// Binding is the channel binding of the connection (see ClientBinding), nil if there is none. Those mechanisms use it
	// whose names end with -PLUS.
	Binding *ChannelBinding
}

// NewClient returns the client's end of a mechanism, by its name without regard to case: one that SelectMechanism chose,
// or any other of this package. The error wraps ErrMechanism. Credentials are looked at by the Client's Start. It does not
// know whether there is TLS: SelectMechanism is the guard against sending a password or a token without it.
//
// A Client that is also a [MutualClient] must have Verified the server before success counts, and a [*BearerClient] can
// tell why its token was Refused. To act as somebody else, take NewPlainClient or NewScramClient.
func NewClient(mech string, opt ClientOptions) (Client, error) {
	for _, m := range clientMechanisms {
		switch {
		case !strings.EqualFold(m.name, mech):
		case m.plus && opt.Binding == nil:
			return nil, fmt.Errorf("%w: %s needs a channel binding", ErrMechanism, m.name)
		default:
			return m.client(&opt), nil
		}
	}
	return nil, fmt.Errorf("%w: %.30q", ErrMechanism, mech)
}

// clientMechanisms are those a client can use, the best first: those that prove the server and bind the channel, those that
// prove the server, one that at least does not send the password, those that do, and those that send a token.
var clientMechanisms = [...]struct {
	name string
	// plus: it binds the channel. plaintext: it shows the password to whoever can read the connection. token: it takes a
	// token in place of a password, and shows that.
	plus, plaintext, token bool
	client                 func(*ClientOptions) Client
}{
	{name: ScramSHA256Plus, plus: true, client: func(o *ClientOptions) Client { return o.scram(SHA256, true) }},
	{name: ScramSHA1Plus, plus: true, client: func(o *ClientOptions) Client { return o.scram(SHA1, true) }},
	{name: ScramSHA256, client: func(o *ClientOptions) Client { return o.scram(SHA256, false) }},
	{name: ScramSHA1, client: func(o *ClientOptions) Client { return o.scram(SHA1, false) }},
	{name: CRAMMD5, client: func(o *ClientOptions) Client { return NewCRAMMD5Client(o.User, o.Password) }},
	{name: Plain, plaintext: true, client: func(o *ClientOptions) Client { return NewPlainClient("", o.User, o.Password) }},
	{name: Login, plaintext: true, client: func(o *ClientOptions) Client { return NewLoginClient(o.User, o.Password) }},
	{name: OAuthBearer, token: true, client: func(o *ClientOptions) Client { return NewOAuthBearerClient(o.bearer()) }},
	{name: XOAuth2, token: true, client: func(o *ClientOptions) Client { return NewXOAuth2Client(o.bearer()) }},
}

func (o *ClientOptions) scram(hash ScramHash, plus bool) *ScramClient {
	opt := ScramClientOptions{User: o.User, Password: o.Password}
	if plus {
		opt.Binding = o.Binding
	} else {
		opt.NoPlusOffered = o.Binding != nil && len(o.Offered) > 0 && !slices.ContainsFunc(o.Offered, BindsChannel)
	}
	return NewScramClient(hash, opt)
}

func (o *ClientOptions) bearer() Bearer {
	return Bearer{User: o.User, Token: o.Token, Host: o.Host, Port: o.Port}
}

// BindsChannel reports whether a mechanism's name is that of a form with channel binding: it ends with -PLUS (RFC 5802 §4),
// in any case.
func BindsChannel(mech string) bool { return strings.HasSuffix(strings.ToUpper(mech), "-PLUS") }
