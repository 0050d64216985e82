package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// renew gets a new access token and stores it, unless another process has done it while we waited for the account's lock,
// which is held.
func (s *Source) renew(ctx context.Context) (string, error) {
	r, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	if r, err = s.settle(ctx, r); err != nil {
		return "", err
	}
	now := s.opt.Now()
	switch {
	case r != nil && r.fresh(now) && !s.wasRefused(r.Access):
		return r.Access, nil
	case s.opt.Flow == ClientCredentials:
		if r == nil {
			r = s.newRecord()
		}
	case r == nil:
		return "", &personError{fmt.Errorf("nobody has signed in for %s yet, run: %s", s.opt.Account, s.opt.Login)}
	case r.Refresh == "" && r.good(now) && !s.wasRefused(r.Access):
		return r.Access, nil
	case r.Refresh == "":
		return "", &personError{fmt.Errorf("the token of %s has ended, and the server gave none to renew it with, run: %s", s.opt.Account, s.opt.Login)}
	}
	if r.Denied != nil && now.Before(r.Denied.Last.Add(ConfirmAfter)) && !now.Before(r.Denied.Last) {
		return s.fallBack(r, r.Denied.err(s)) // it was asked a moment ago
	}
	fresh, err := s.ask(ctx, r)
	if err != nil {
		return s.notRenewed(ctx, r, err)
	}
	if err := s.save(ctx, fresh); err != nil {
		s.mu.Lock()
		s.unsaved = &unsaved{r.Refresh, fresh}
		s.mu.Unlock()
		return "", err
	}
	return fresh.Access, nil
}

// settle stores a token that could not be stored before, if nothing else came in its place.
func (s *Source) settle(ctx context.Context, r *record) (*record, error) {
	s.mu.Lock()
	u := s.unsaved
	s.mu.Unlock()
	if u == nil || r == nil && u.from != "" || r != nil && r.Refresh != u.from {
		return r, nil
	}
	if err := s.save(ctx, u.rec); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.unsaved = nil
	s.mu.Unlock()
	return u.rec, nil
}

func (s *Source) newRecord() *record {
	return &record{Client: s.client(), Scopes: s.opt.Scopes}
}

// ask asks the server for a token in place of r's.
func (s *Source) ask(ctx context.Context, r *record) (*record, error) {
	conf, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.http)
	var t *oauth2.Token
	if s.opt.Flow == ClientCredentials {
		c := clientcredentials.Config{
			ClientID: conf.ClientID, ClientSecret: conf.ClientSecret, TokenURL: conf.Endpoint.TokenURL, Scopes: conf.Scopes,
			AuthStyle: conf.Endpoint.AuthStyle,
		}
		t, err = c.Token(ctx)
	} else {
		t, err = conf.TokenSource(ctx, &oauth2.Token{RefreshToken: r.Refresh}).Token()
	}
	if err != nil {
		return nil, serverError(conf.Endpoint.TokenURL, err, r.Refresh, conf.ClientSecret)
	}
	return s.recordOf(t, conf.Endpoint.TokenURL)
}

// recordOf checks a token that came.
func (s *Source) recordOf(t *oauth2.Token, address string) (*record, error) {
	if t.TokenType != "" && t.Type() != "Bearer" {
		return nil, serverError(address, errors.New("its token is no bearer token"))
	}
	r, now := s.newRecord(), s.opt.Now()
	r.Access, r.Refresh, r.Obtained = t.AccessToken, t.RefreshToken, now
	switch {
	case t.ExpiresIn > 0:
		r.Expires = now.Add(time.Duration(min(t.ExpiresIn, 10*365*24*3600)) * time.Second)
	case !t.Expiry.IsZero():
		r.Expires = t.Expiry
	}
	return r, nil
}

// notRenewed says what it means that no token came, and notes a refusal.
func (s *Source) notRenewed(ctx context.Context, r *record, err error) (string, error) {
	answer, ok := errors.AsType[*ServerError](err)
	if !ok || !answer.denies() {
		return s.fallBack(r, fmt.Errorf("the token of %s cannot be renewed now: %w", s.opt.Account, err))
	}
	now := s.opt.Now()
	if r.Denied == nil || r.Denied.Code != answer.Code {
		r.Denied = &denial{Code: answer.Code, First: now}
	}
	r.Denied.Text, r.Denied.Last = answer.Error(), now
	denied := r.Denied.err(s)
	if err := s.save(ctx, r); err != nil {
		denied = errors.Join(denied, err) // then it is not confirmed the next time either
	}
	return s.fallBack(r, denied)
}

// fallBack returns the token at hand as long as it is good, else err.
func (s *Source) fallBack(r *record, err error) (string, error) {
	if r.good(s.opt.Now()) && !s.wasRefused(r.Access) {
		return r.Access, nil
	}
	return "", err
}

// ofToken are refusals of a refresh token. All others that are refusals are of the client.
var ofToken = []string{"invalid_grant", "interaction_required", "consent_required", "login_required"}

// ofClient are refusals that concern the client or its configuration.
var ofClient = []string{"invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "invalid_request", "access_denied", "invalid_resource"}

// denies reports whether the answer is a refusal, and not a failure of the server's.
func (e *ServerError) denies() bool {
	return e.Status < 500 && e.Status != 429 && (slices.Contains(ofToken, e.Code) || slices.Contains(ofClient, e.Code))
}

// confirmed reports whether a refusal has come again, long enough after the first time.
func (d *denial) confirmed() bool {
	if d == nil {
		return false
	}
	after := ConfirmClientAfter
	if slices.Contains(ofToken, d.Code) {
		after = ConfirmAfter
	}
	return d.Last.Sub(d.First) >= after
}

// err says what a refusal means.
func (d *denial) err(s *Source) error {
	switch {
	case !d.confirmed():
		return fmt.Errorf("the token of %s was not renewed: %s; this is asked again before it is believed", s.opt.Account, d.Text)
	case slices.Contains(ofToken, d.Code):
		return &personError{fmt.Errorf("the token of %s is not good any more: %s; run: %s", s.opt.Account, d.Text, s.opt.Login)}
	}
	return &personError{fmt.Errorf("the token of %s is not renewed: %s; look at client_id and client_secret, then run: %s", s.opt.Account, d.Text, s.opt.Login)}
}
