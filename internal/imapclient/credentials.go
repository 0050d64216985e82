package imapclient

import (
	"context"
	"errors"
)

// Credentials are where a password or a token comes from at each connection.
type Credentials struct {
	// Password is asked, unless there is a Token.
	Password func(ctx context.Context) (string, error)
	// Token, if set, is asked for an access token of OAuth 2.0.
	Token func(ctx context.Context) (string, error)
	// Refused, if set, is told of a token that the server did not take. Token is then asked once more.
	Refused func(token string)
}

// A CredentialError says that there is no password, or no token.
type CredentialError struct{ Err error }

func (e *CredentialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }

// Dial is the function Dial with these credentials. The error is a *CredentialError if there are none.
func (c *Credentials) Dial(ctx context.Context, opt Options) (*Client, error) {
	var err error
	if c.Token == nil {
		if opt.Password, err = c.Password(ctx); err != nil {
			return nil, &CredentialError{err}
		}
		return Dial(ctx, opt)
	}
	if opt.Token, err = c.Token(ctx); err != nil {
		return nil, &CredentialError{err}
	}
	client, err := Dial(ctx, opt)
	if err == nil || c.Refused == nil || !tokenRefused(err) {
		return client, err
	}
	old := opt.Token
	c.Refused(old)
	if opt.Token, _ = c.Token(ctx); opt.Token == "" || opt.Token == old {
		return nil, err
	}
	return Dial(ctx, opt)
}

// tokenRefused reports whether a failure to sign in is the token's fault.
func tokenRefused(err error) bool {
	var token *TokenError
	var refused *Error
	return errors.As(err, &token) || errors.As(err, &refused) && refused.Has("AUTHENTICATIONFAILED", "EXPIRED")
}
