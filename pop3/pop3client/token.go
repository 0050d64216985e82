package pop3client

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/sasl"
)

// LoginToken signs in with an OAuth access token: with OAUTHBEARER (RFC 7628), or with XOAUTH2 where the server offers only
// that. Options.Mechanisms can name one of them, which is then tried even if it is not announced. Long tokens, which are
// the usual ones, go on a line of their own (RFC 5034 §4). A Host that is missing is the one that was dialled.
//
// A token is never sent without verified TLS, whatever Options.AllowCleartext says: the error is ErrCleartext then, and
// nothing was sent. A refusal has a *pop3.Error in its chain, and a *sasl.TokenError if the server looked at the token:
// another one may do.
func (c *Client) LoginToken(ctx context.Context, b sasl.Bearer) error {
	if c.signedIn {
		return fmt.Errorf("pop3client: sign in: %w: already signed in", ErrState)
	}
	if !c.secure {
		return fmt.Errorf("pop3client: sign in with a token: %w", ErrCleartext)
	}
	if b.Host == "" {
		b.Host = c.host
	}
	capa, err := c.capabilities(ctx)
	if err != nil {
		return err
	}
	offered := capa.SASL()
	if len(c.opt.Mechanisms) > 0 {
		offered = c.opt.Mechanisms
	}
	mech := sasl.SelectMechanism(offered, sasl.SelectOptions{TLS: c.secure, Token: true})
	if mech == "" {
		return fmt.Errorf("pop3client: sign in with a token: %w", ErrNoMechanism)
	}
	client, err := sasl.NewClient(mech, sasl.ClientOptions{User: b.User, Token: b.Token, Host: b.Host, Port: b.Port})
	if err == nil {
		_, err = c.auth(ctx, client)
	}
	if err != nil {
		return fmt.Errorf("pop3client: sign in with %s: %w", mech, err)
	}
	return nil
}

// tokenRefused joins what the server said about a token, if it did, with its refusal of the exchange.
func tokenRefused(client sasl.Client, refusal error) error {
	if bearer, ok := client.(interface{ Refused() error }); ok {
		if said := bearer.Refused(); said != nil {
			return &refusedToken{refusal, said}
		}
	}
	return refusal
}

// A refusedToken is a server's refusal and, before it, its reason.
type refusedToken struct{ refusal, said error }

func (e *refusedToken) Error() string   { return e.refusal.Error() + " (" + e.said.Error() + ")" }
func (e *refusedToken) Unwrap() []error { return []error{e.refusal, e.said} }

// isToken reports whether a mechanism sends a bearer token, which must not be seen by anybody (RFC 7628 §3).
func isToken(mech string) bool { return mech == sasl.OAuthBearer || mech == sasl.XOAuth2 }
