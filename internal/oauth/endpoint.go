package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// config returns the module's configuration, with the client's secret, which is asked for anew.
func (s *Source) config(ctx context.Context) (*oauth2.Config, error) {
	p, err := s.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	c := &oauth2.Config{
		ClientID: s.opt.ClientID, Scopes: s.opt.Scopes,
		// Never found out by trying: a second try would use a refresh token, or a code, twice.
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL, DeviceAuthURL: p.DeviceURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	if s.opt.ClientSecret != nil {
		if c.ClientSecret, err = s.opt.ClientSecret(ctx); err != nil {
			return nil, &personError{fmt.Errorf("client_secret: %w", err)}
		}
		if p.Basic {
			c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		}
	}
	return c, nil
}

// endpoints returns the provider, with what its metadata says if there was something missing.
func (s *Source) endpoints(ctx context.Context) (Provider, error) {
	s.mu.Lock()
	known := s.provider
	s.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	p := s.opt.Provider
	if p.TokenURL == "" {
		var err error
		if p, err = s.discover(ctx, p); err != nil {
			return Provider{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provider = &p
	return p, nil
}

// metadata is what is taken of RFC 8414 §2.
type metadata struct {
	Issuer    string   `json:"issuer"`
	AuthURL   string   `json:"authorization_endpoint"`
	TokenURL  string   `json:"token_endpoint"`
	DeviceURL string   `json:"device_authorization_endpoint"`
	RevokeURL string   `json:"revocation_endpoint"`
	Methods   []string `json:"token_endpoint_auth_methods_supported"`
}

// discover fills in what is missing from the metadata of the issuer: that of RFC 8414, or that of OpenID Connect.
func (s *Source) discover(ctx context.Context, p Provider) (Provider, error) {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return Provider{}, errAddress
	}
	path := strings.TrimSuffix(u.Path, "/")
	var m metadata
	for _, place := range []string{"/.well-known/oauth-authorization-server" + path, path + "/.well-known/openid-configuration"} {
		u.Path = place
		if m, err = s.fetchMetadata(ctx, u.String()); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return Provider{}, fmt.Errorf("the endpoints of %s cannot be found: %w", p.Issuer, err)
	case m.Issuer != p.Issuer: // RFC 8414 §3.3
		return Provider{}, &personError{fmt.Errorf("the metadata of %s is that of another issuer, %q: set issuer to what it says, or name the endpoints", p.Issuer, plain(m.Issuer, nil))}
	case m.TokenURL == "":
		return Provider{}, &personError{fmt.Errorf("the metadata of %s has no token_endpoint: set token_url", p.Issuer)}
	}
	for to, from := range map[*string]string{&p.AuthURL: m.AuthURL, &p.TokenURL: m.TokenURL, &p.DeviceURL: m.DeviceURL, &p.RevokeURL: m.RevokeURL} {
		if *to != "" || from == "" {
			continue
		}
		if err := CheckURL(from); err != nil {
			return Provider{}, &personError{fmt.Errorf("an endpoint in the metadata of %s %w", p.Issuer, err)}
		}
		*to = from
	}
	// Without the list it is basic alone (RFC 8414 §2).
	p.Basic = p.Basic || !slices.Contains(m.Methods, "client_secret_post")
	return p, nil
}

func (s *Source) fetchMetadata(ctx context.Context, address string) (metadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return metadata{}, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return metadata{}, serverError(address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return metadata{}, &ServerError{Host: req.URL.Host, Status: resp.StatusCode}
	}
	var m metadata
	if json.NewDecoder(resp.Body).Decode(&m) != nil {
		return metadata{}, errors.New("its metadata is no JSON")
	}
	return m, nil
}
