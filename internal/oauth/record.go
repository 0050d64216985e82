package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNoToken means that nothing is kept for an account: nobody has signed in yet.
var ErrNoToken = errors.New("there is no token")

// A Store keeps what was got for accounts. What Save has returned from survives a crash. It may be used concurrently, and
// by several processes.
type Store interface {
	// Load returns what is kept for an account, or ErrNoToken.
	Load(ctx context.Context, account string) ([]byte, error)
	Save(ctx context.Context, account string, record []byte) error
	// Delete removes what is kept. Without anything it returns nil.
	Delete(ctx context.Context, account string) error
}

// maxRecord bounds a record, in octets.
const maxRecord = 64 << 10

// record is what is kept for an account.
type record struct {
	Client   string    `json:"client"` // whose tokens they are, see Source.client
	Scopes   []string  `json:"scopes"`
	Access   string    `json:"access"`
	Refresh  string    `json:"refresh,omitempty"`
	Obtained time.Time `json:"obtained"`
	Expires  time.Time `json:"expires,omitzero"`
	Denied   *denial   `json:"denied,omitempty"`
}

// A denial is what the server has said to a refresh token, once or several times in a row.
type denial struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// until is when a new token is asked for: a quarter of its life before it ends, at most five minutes.
func (r *record) until() time.Time {
	early := min(r.Expires.Sub(r.Obtained)/4, maxEarly)
	return r.Expires.Add(-early)
}

// good reports whether the access token can be used at all, fresh whether it need not be replaced yet.
func (r *record) good(now time.Time) bool {
	return r.Access != "" && (r.Expires.IsZero() || now.Before(r.Expires))
}

func (r *record) fresh(now time.Time) bool {
	return r.Access != "" && (r.Expires.IsZero() || now.Before(r.until()))
}

// load returns what is kept for this account and client, nil if there is nothing.
func (s *Source) load(ctx context.Context) (*record, error) {
	text, err := s.opt.Store.Load(ctx, s.opt.Account)
	if errors.Is(err, ErrNoToken) {
		return nil, nil
	}
	if err != nil {
		return nil, &storeError{fmt.Errorf("the token of %s cannot be read: %w", s.opt.Account, err)}
	}
	r := new(record)
	if err := json.Unmarshal(text, r); err != nil { // its own error could show a part of it
		return nil, &storeError{fmt.Errorf("the token of %s is damaged in its store, sign in again: %s", s.opt.Account, s.opt.Login)}
	}
	if r.Client != s.client() || !covers(r.Scopes, s.opt.Scopes) {
		return nil, nil // the configuration has changed: it is no token of this client
	}
	return r, nil
}

func (s *Source) save(ctx context.Context, r *record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(text) > maxRecord {
		return &storeError{fmt.Errorf("the token of %s has more than %d octets and is not kept", s.opt.Account, maxRecord)}
	}
	if err := s.opt.Store.Save(ctx, s.opt.Account, text); err != nil {
		return &storeError{fmt.Errorf("the token of %s cannot be kept: %w", s.opt.Account, err)}
	}
	return nil
}

// client tells the tokens of one client at one server from those of others. There is nothing secret in it.
func (s *Source) client() string {
	p := s.opt.Provider
	sum := sha256.Sum256([]byte(strings.Join([]string{s.opt.ClientID, p.Issuer, p.TokenURL, s.opt.Flow.String(), s.opt.User}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// covers reports whether what was asked for then has all that is asked for now.
func covers(then, now []string) bool {
	return !slices.ContainsFunc(now, func(scope string) bool { return !slices.Contains(then, scope) })
}
