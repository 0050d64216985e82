package pop3source

import (
	"context"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/sasl"
)

// openByToken connects and signs in with a token. One that is refused is replaced, and the new one tried on a new
// connection: the server may have thrown the old one away before its time.
func (s *Source) openByToken(ctx context.Context) (collect.Session, error) {
	token, err := s.opt.Token(ctx)
	if err != nil {
		return nil, s.noToken(err)
	}
	session, err := s.try(ctx, token)
	if err == nil || !tokenRefused(err) || s.opt.TokenRefused == nil {
		return session, err
	}
	s.opt.TokenRefused(token)
	next, tokenErr := s.opt.Token(ctx)
	if tokenErr != nil {
		return nil, s.noToken(tokenErr)
	}
	if next == token {
		return nil, err
	}
	if session, err = s.try(ctx, next); err != nil && tokenRefused(err) {
		return nil, fmt.Errorf("%w; the token is a new one, so look at the user, the scopes, and whether the mailbox may be fetched by POP3", err)
	}
	return session, err
}

func (s *Source) noToken(err error) error {
	return fmt.Errorf("token for %s at %s: %w", s.at.User, s.at.Host, err)
}

// try connects and signs in with one token.
func (s *Source) try(ctx context.Context, token string) (collect.Session, error) {
	c, err := pop3client.Dial(ctx, s.at.Dial, &s.opt.Client)
	if err != nil {
		return nil, classify(err, nil)
	}
	if err := c.LoginToken(ctx, sasl.Bearer{User: s.at.User, Token: token}); err != nil {
		capa, _ := c.Capa(ctx) // from before signing in; only to understand the refusal
		return nil, errors.Join(classify(err, capa), ignoreClosed(c.Close()))
	}
	return s.signedIn(ctx, c)
}

// tokenRefused reports whether it may be the token that the server did not like.
func tokenRefused(err error) bool {
	_, said := errors.AsType[*sasl.TokenError](err)
	class := collect.Classify(err)
	refusal, ok := errors.AsType[*pop3.Error](err)
	return said || ok && !refusal.Hangup && (pop3.IsAuth(refusal) || class == collect.Refused)
}
