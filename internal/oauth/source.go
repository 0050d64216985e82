package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// A Flow is a way to come by tokens.
type Flow uint8

// Flows.
const (
	// AuthorizationCode and DeviceCode: a person signs in. Either way of signing in can be taken with both; the name says
	// which is the usual one.
	AuthorizationCode Flow = iota
	DeviceCode
	// ClientCredentials: the client's secret is enough (RFC 6749 §4.4).
	ClientCredentials
	// Command: a program prints a token.
	Command
)

// String returns "code", "device", "client" or "command".
func (f Flow) String() string {
	switch f {
	case AuthorizationCode, DeviceCode: // their tokens are the same
		return "code"
	case ClientCredentials:
		return "client"
	case Command:
		return "command"
	}
	return "unknown"
}

const (
	// maxEarly is how long before its end a token is replaced at most.
	maxEarly = 5 * time.Minute
	// ConfirmAfter is how much later a refusal of a refresh token must come again to be believed.
	ConfirmAfter = time.Minute
	// ConfirmClientAfter is the same for a refusal of the client: those come by mistakes of the server's, too.
	ConfirmClientAfter = time.Hour
	// requestTimeout bounds each request to a server.
	requestTimeout = 30 * time.Second
)

// Options say whose token it is and how it is had.
type Options struct {
	// Account names the token in the store and in messages.
	Account string
	// User is whose mailbox it is: a hint for the page where people sign in. It can be empty.
	User string
	// Login is the command by which a person signs in, for messages.
	Login string

	Provider Provider
	Flow     Flow
	ClientID string
	// ClientSecret finds the client's secret; nil for a client without one.
	ClientSecret func(ctx context.Context) (string, error)
	Scopes       []string
	// Program prints a token, for Command: its text, or JSON with access_token and expires_in. No shell is asked.
	Program []string

	// Store keeps tokens. Command needs none.
	Store Store
	// Locks is the folder of the locks that keep processes apart.
	Locks string
	// Transport carries requests. Default: http.DefaultTransport's settings.
	Transport http.RoundTripper
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// A Source has the tokens of one account. It may be used concurrently.
type Source struct {
	opt  Options
	http *http.Client

	mu       sync.Mutex
	refused  string    // an access token that a mail server did not take
	unsaved  *unsaved  // a token that could not be stored
	provider *Provider // with what the metadata says
	printed  record    // by the program
}

// unsaved is a token that could not be stored, and the refresh token that it came for.
type unsaved struct {
	from string
	rec  *record
}

// New checks the options. Nothing is connected.
func New(opt Options) (*Source, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Flow == Command {
		if len(opt.Program) == 0 {
			return nil, errors.New("no program that prints a token")
		}
		return &Source{opt: opt}, nil
	}
	p := opt.Provider
	for name, address := range map[string]string{"issuer": p.Issuer, "auth_url": p.AuthURL, "token_url": p.TokenURL, "device_url": p.DeviceURL, "revoke_url": p.RevokeURL} {
		if address == "" {
			continue
		}
		if err := CheckURL(address); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	switch {
	case opt.ClientID == "":
		return nil, errors.New("no client_id: the provider gives one, see docs/oauth.md")
	case p.TokenURL == "" && p.Issuer == "":
		return nil, errors.New("neither a token_url nor an issuer")
	case opt.Flow == ClientCredentials && opt.ClientSecret == nil:
		return nil, errors.New("no client_secret, which the flow client needs")
	case opt.Store == nil || opt.Locks == "":
		return nil, errors.New("no place to keep tokens in")
	}
	transport := opt.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableKeepAlives = true // requests are hours apart
		transport = t
	}
	return &Source{opt: opt, http: &http.Client{
		Transport: boundedTransport{transport},
		// A redirect would be given the secret.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Token returns an access token that is good for a while, in the manner of a source of passwords.
//
// An error for which NeedsPerson is true does not pass by itself: somebody has to sign in, or to mend the configuration.
// Any other may.
func (s *Source) Token(ctx context.Context) (string, error) {
	if s.opt.Flow == Command {
		return s.print(ctx)
	}
	if r, err := s.usable(ctx); err != nil || r != nil {
		return access(r), err
	}
	unlock, err := lock(ctx, s.opt.Locks, s.opt.Account)
	if err != nil {
		return "", err
	}
	defer unlock()
	return s.renew(ctx)
}

// Refused says that a mail server did not take a token, so that the next Token returns another one. Without a difference
// between the two the token is not what is wrong.
func (s *Source) Refused(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = token
}

func (s *Source) wasRefused(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return token != "" && s.refused == token
}

// usable returns what is stored if it is fresh, nil if it has to be replaced.
func (s *Source) usable(ctx context.Context) (*record, error) {
	r, err := s.load(ctx)
	if err != nil || r == nil || !r.fresh(s.opt.Now()) || s.wasRefused(r.Access) {
		return nil, err
	}
	return r, nil
}

func access(r *record) string {
	if r == nil {
		return ""
	}
	return r.Access
}

// A State is what is known of an account's token, without asking anybody.
type State struct {
	// SignedIn: there is a token of this configuration's client.
	SignedIn bool
	// ValidUntil is the end of the access token, zero if it is not known.
	ValidUntil time.Time
	// Renewable: a new token can be had without a person.
	Renewable bool
	// NeedsLogin: somebody has to sign in. Why says for what reason.
	NeedsLogin bool
	Why        string
}

// State returns what is known of the token.
func (s *Source) State(ctx context.Context) (State, error) {
	switch s.opt.Flow {
	case Command:
		return State{SignedIn: true, Renewable: true}, nil
	case AuthorizationCode, DeviceCode, ClientCredentials:
	}
	r, err := s.load(ctx)
	if err != nil {
		return State{}, err
	}
	alone := s.opt.Flow == ClientCredentials
	if r == nil {
		return State{NeedsLogin: !alone, Renewable: alone, Why: "nobody has signed in yet"}, nil
	}
	st := State{SignedIn: true, ValidUntil: r.Expires, Renewable: alone || r.Refresh != ""}
	switch {
	case r.Denied.confirmed():
		st.NeedsLogin, st.Why = !alone, r.Denied.Text
	case !st.Renewable && !r.good(s.opt.Now()):
		st.NeedsLogin, st.Why = true, "the token has ended, and the server gave none to renew it with"
	}
	return st, nil
}
