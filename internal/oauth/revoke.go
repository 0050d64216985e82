package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// revoke gives a token back (RFC 7009 §2.1): the refresh token, with which all access tokens go, or else the access token.
func (s *Source) revoke(ctx context.Context, r *record) (bool, error) {
	p, err := s.endpoints(ctx)
	if err != nil {
		return false, err
	}
	if p.RevokeURL == "" {
		return false, nil
	}
	conf, err := s.config(ctx)
	if err != nil {
		return false, err
	}
	form := url.Values{"token": {r.Access}, "token_type_hint": {"access_token"}}
	if r.Refresh != "" {
		form = url.Values{"token": {r.Refresh}, "token_type_hint": {"refresh_token"}}
	}
	inHeader := conf.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		form.Set("client_id", conf.ClientID)
		if conf.ClientSecret != "" {
			form.Set("client_secret", conf.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RevokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if inHeader {
		req.SetBasicAuth(url.QueryEscape(conf.ClientID), url.QueryEscape(conf.ClientSecret))
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return false, serverError(p.RevokeURL, err, r.Access, r.Refresh, conf.ClientSecret)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the token was not given back: %w", &ServerError{Host: req.URL.Host, Status: resp.StatusCode})
	}
	return true, nil
}
