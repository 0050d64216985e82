package oauthtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A code was given to a browser.
type code struct {
	redirect, challenge, scope string
	ends                       time.Time
}

// authorize is the page where people sign in. They say yes (or no) at once.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect := q.Get("redirect_uri")
	switch {
	case q.Get("client_id") != ClientID, !loopback(redirect) && redirect != "oob":
		http.Error(w, "unknown client or address", http.StatusBadRequest) // never sent back there
		return
	case q.Get("response_type") != "code", q.Get("code_challenge_method") != "S256", len(q.Get("code_challenge")) != 43, len(q.Get("state")) < 16:
		s.refuse(w, http.StatusBadRequest, "invalid_request", "PKCE and state are demanded")
		return
	}
	back := url.Values{"state": {q.Get("state")}, "iss": {s.URL}}
	if s.opt.Deny {
		back.Set("error", "access_denied")
		back.Set("error_description", "the user said <no>")
	} else {
		c := rand.Text()
		s.mu.Lock()
		s.codes[c] = &code{redirect: redirect, challenge: q.Get("code_challenge"), scope: q.Get("scope"), ends: s.opt.Now().Add(time.Minute)}
		s.mu.Unlock()
		back.Set("code", c)
		if redirect == "oob" {
			_, _ = w.Write([]byte(c))
			return
		}
	}
	http.Redirect(w, r, redirect+"?"+back.Encode(), http.StatusFound)
}

// token gives tokens (RFC 6749 §3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	kind := r.PostFormValue("grant_type")
	s.mu.Lock()
	s.asked[kind]++
	s.mu.Unlock()
	if r.Method != http.MethodPost {
		s.refuse(w, http.StatusMethodNotAllowed, "invalid_request", "POST is demanded")
		return
	}
	if s.fault(w, r, false) || !s.client(w, r) {
		return
	}
	switch kind {
	case "authorization_code":
		s.byCode(w, r)
	case "refresh_token":
		s.byRefresh(w, r)
	case "urn:ietf:params:oauth:grant-type:device_code":
		s.byDevice(w, r)
	case "client_credentials":
		if _, secret, basic := r.BasicAuth(); !basic && r.PostFormValue("client_secret") == "" || basic && secret == "" {
			s.refuse(w, http.StatusUnauthorized, "invalid_client", "the secret is missing")
			return
		}
		g := s.newGrant(r.PostFormValue("scope"))
		s.give(w, r, g, false)
	default:
		s.refuse(w, http.StatusBadRequest, "unsupported_grant_type", "no such grant")
	}
}

func (s *Server) byCode(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	c := s.codes[r.PostFormValue("code")]
	delete(s.codes, r.PostFormValue("code"))
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case c == nil || s.opt.Now().After(c.ends):
		s.refuse(w, http.StatusBadRequest, "invalid_grant", "no such code")
	case c.redirect != r.PostFormValue("redirect_uri"):
		s.refuse(w, http.StatusBadRequest, "invalid_grant", "another redirect_uri")
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		s.refuse(w, http.StatusBadRequest, "invalid_grant", "the verifier is wrong")
	default:
		s.give(w, r, s.newGrant(c.scope), true)
	}
}

func (s *Server) byRefresh(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("refresh_token")
	s.mu.Lock()
	i := slices.IndexFunc(s.grants, func(g *grant) bool { return slices.Contains(g.refresh, token) })
	var g *grant
	reused := false
	if i >= 0 && !s.grants[i].finished {
		g = s.grants[i]
		at := slices.Index(g.refresh, token)
		switch last := len(g.refresh) - 1; {
		case at == last:
		case s.opt.Grace && at == last-1 && !g.used:
			g.refresh = g.refresh[:last] // its successor was lost on the way
		default:
			g.finished, reused = true, true
		}
	}
	s.mu.Unlock()
	switch {
	case g == nil:
		s.refuse(w, http.StatusBadRequest, "invalid_grant", "no such refresh token, or it has ended")
	case reused:
		s.refuse(w, http.StatusBadRequest, "invalid_grant", "this refresh token was used before: all are ended")
	default:
		s.give(w, r, g, !s.opt.NoRotation)
	}
}

func (s *Server) newGrant(scope string) *grant {
	g := &grant{scope: scope, ends: map[string]time.Time{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants = append(s.grants, g)
	return g
}

// Grant signs in without a browser, and returns both tokens.
func (s *Server) Grant(scope string) (access, refresh string) {
	g := s.newGrant(scope)
	s.mu.Lock()
	defer s.mu.Unlock()
	refresh = rand.Text()
	g.refresh = append(g.refresh, refresh)
	return s.makeAccess(g), refresh
}

// makeAccess makes an access token. s.mu is held.
func (s *Server) makeAccess(g *grant) string {
	token, now := rand.Text(), s.opt.Now()
	ends := now.Add(s.opt.Life)
	if s.opt.Life < 0 {
		ends = now.Add(1000 * time.Hour)
	}
	if !s.opt.Opaque {
		claims := map[string]any{
			"iss": s.URL, "sub": User, "aud": "mail", "client_id": ClientID, "iat": now.Unix(), "exp": ends.Unix(), "jti": token, "scope": g.scope,
			"name": "Marshall T. Rose, who has so many groups that his token does not fit on one line of 255 octets", "email": User,
		}
		var err error
		if token, err = jwt.Signed(s.signer).Claims(claims).Serialize(); err != nil {
			panic(err) // the key is ours
		}
	}
	g.access = append(g.access, token)
	g.ends[token] = ends
	g.used = false
	return token
}

// give answers with new tokens.
func (s *Server) give(w http.ResponseWriter, r *http.Request, g *grant, rotate bool) {
	s.mu.Lock()
	said := map[string]any{"access_token": s.makeAccess(g), "token_type": "Bearer", "scope": g.scope}
	if s.opt.Life > 0 {
		said["expires_in"] = int(s.opt.Life.Seconds())
	}
	if rotate && !s.opt.NoRefresh {
		refresh := rand.Text()
		g.refresh = append(g.refresh, refresh)
		said["refresh_token"] = refresh
	}
	s.mu.Unlock()
	if s.fault(w, r, true) {
		return // done, but nobody hears of it
	}
	answer(w, http.StatusOK, said)
}

// active returns the grant of an access token that is good. s.mu is held.
func (s *Server) active(token string) *grant {
	for _, g := range s.grants {
		if g.finished || !slices.Contains(g.access, token) || !s.opt.Now().Before(g.ends[token]) {
			continue
		}
		if !s.opt.Opaque {
			parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				return nil
			}
			var claims jwt.Claims
			if parsed.Claims(&s.key.PublicKey, &claims) != nil || claims.ValidateWithLeeway(jwt.Expected{Issuer: s.URL, Time: s.opt.Now()}, 0) != nil {
				return nil
			}
		}
		g.used = true
		return g
	}
	return nil
}

// revoke is RFC 7009.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	if !s.client(w, r) {
		return
	}
	token := r.PostFormValue("token")
	s.mu.Lock()
	for _, g := range s.grants {
		switch {
		case slices.Contains(g.refresh, token):
			g.finished = true
		case slices.Contains(g.access, token):
			g.access = slices.DeleteFunc(g.access, func(t string) bool { return t == token })
		}
	}
	s.mu.Unlock()
	w.WriteHeader(http.StatusOK) // for unknown tokens, too (§2.2)
}

// introspect is RFC 7662, for mail servers.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token == "" {
		token = bearer
	}
	s.mu.Lock()
	g := s.active(token)
	s.mu.Unlock()
	if g == nil {
		answer(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"active": true, "username": User, "email": User, "sub": User, "scope": g.scope, "client_id": ClientID, "token_type": "Bearer",
	})
}
