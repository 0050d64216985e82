package oauthtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Options say how the server is. The zero value is a strict one whose tokens live for an hour.
type Options struct {
	// Life is how long access tokens live. Default: an hour. Negative: the server does not say, and they do not end.
	Life time.Duration
	// Opaque makes access tokens short texts; else they are signed JWTs of some 500 octets.
	Opaque bool
	// NoRotation leaves refresh tokens as they are. Else each use makes a new one, and the second use of an old one ends
	// all tokens of that sign-in.
	NoRotation bool
	// Grace lets an old refresh token be used again as long as its successor was not, as most providers do.
	Grace bool
	// NoRefresh gives no refresh tokens.
	NoRefresh bool
	// Deny makes people say no.
	Deny bool
	// Interval is how long a device must wait between its questions. Default: 5 seconds.
	Interval time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// The client that is known, and the user who signs in.
const (
	ClientID     = "postamt-test"
	ClientSecret = "the secret of the client"
	User         = "mrose@example.com"
)

// A Server is a running authorization server. Its methods may be used concurrently.
type Server struct {
	// URL is its address, and its issuer.
	URL string

	opt    Options
	signer jose.Signer
	key    *ecdsa.PrivateKey

	mu      sync.Mutex
	codes   map[string]*code
	devices map[string]*device
	grants  []*grant
	faults  []Fault
	asked   map[string]int // requests by grant type, and by path
	refused []string       // what clients did wrong
}

// A grant is one sign-in, with the tokens that came of it.
type grant struct {
	scope    string
	access   []string
	ends     map[string]time.Time
	refresh  []string // the last one is good
	used     bool     // the last refresh token's access token was looked at
	finished bool     // revoked
}

// New starts a server, which is stopped at the end of the test.
func New(tb testing.TB, opt Options) *Server {
	tb.Helper()
	s := NewHandler(tb, opt)
	web := httptest.NewServer(s)
	tb.Cleanup(web.Close)
	s.URL = web.URL
	return s
}

// NewHandler returns a server that does not listen. URL must be set to where it is.
func NewHandler(tb testing.TB, opt Options) *Server {
	tb.Helper()
	if opt.Life == 0 {
		opt.Life = time.Hour
	}
	if opt.Interval == 0 {
		opt.Interval = 5 * time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		tb.Fatal(err)
	}
	return &Server{opt: opt, signer: signer, key: key, codes: map[string]*code{}, devices: map[string]*device{}, asked: map[string]int{}}
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	s.mu.Lock()
	s.asked[r.URL.Path]++
	s.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		s.metadata(w)
	case "/authorize":
		s.authorize(w, r)
	case "/device":
		s.deviceCode(w, r)
	case "/token":
		s.token(w, r)
	case "/revoke":
		s.revoke(w, r)
	case "/introspect":
		s.introspect(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) metadata(w http.ResponseWriter) {
	answer(w, http.StatusOK, map[string]any{
		"issuer":                                s.URL,
		"authorization_endpoint":                s.URL + "/authorize",
		"token_endpoint":                        s.URL + "/token",
		"device_authorization_endpoint":         s.URL + "/device",
		"revocation_endpoint":                   s.URL + "/revoke",
		"introspection_endpoint":                s.URL + "/introspect",
		"response_types_supported":              []string{"code"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
	})
}

// Asked returns how many requests there were of a grant type ("refresh_token", ...) or for a path ("/revoke").
func (s *Server) Asked(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[what]
}

// Refused returns what clients were told that they did wrong, without what is a part of the protocol (such as waiting).
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// EndAccess makes the server forget all access tokens: they are refused, before their time.
func (s *Server) EndAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.grants {
		g.access = nil
	}
}

// EndAll ends all sign-ins, as when a user takes back the permission.
func (s *Server) EndAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.grants {
		g.finished = true
	}
}

// Active reports whether an access token is good.
func (s *Server) Active(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active(token) != nil
}

// answer writes JSON that nobody may keep.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone
}

// refuse answers with an error of RFC 6749 §5.2.
func (s *Server) refuse(w http.ResponseWriter, status int, code, text string) {
	s.mu.Lock()
	s.refused = append(s.refused, code+": "+text)
	s.mu.Unlock()
	answer(w, status, map[string]string{"error": code, "error_description": text})
}

// client checks the client's id and secret, in either way.
func (s *Server) client(w http.ResponseWriter, r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != ClientID || secret != "" && secret != ClientSecret {
		s.refuse(w, http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
		return false
	}
	return true
}

// loopback reports whether an address is one of this machine, by http.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
