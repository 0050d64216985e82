package oauth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// A signIn is a sign-in by a browser that is under way.
type signIn struct {
	s        *Source
	conf     *oauth2.Config
	issuer   string
	state    string
	verifier string // RFC 7636 §4.1
}

// newSignIn makes a sign-in whose browser comes back to redirect.
func (s *Source) newSignIn(ctx context.Context, redirect string) (*signIn, error) {
	conf, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if p.AuthURL == "" {
		return nil, &personError{errors.New("there is no address where people sign in, set auth_url")}
	}
	conf.RedirectURL = redirect
	return &signIn{s: s, conf: conf, issuer: p.Issuer, state: rand.Text(), verifier: oauth2.GenerateVerifier()}, nil
}

// address is where a person signs in.
func (l *signIn) address() string {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(l.verifier)}
	for key, value := range l.s.opt.Provider.AuthParams {
		opts = append(opts, oauth2.SetAuthURLParam(key, value))
	}
	if l.s.opt.User != "" {
		opts = append(opts, oauth2.SetAuthURLParam("login_hint", l.s.opt.User))
	}
	return l.conf.AuthCodeURL(l.state, opts...)
}

// errState means that an answer is none to our question. Somebody else may have sent the browser here.
var errState = errors.New("this is not the answer to the question that was asked here")

// finish takes the answer that the browser brought (RFC 6749 §4.1.2), and stores the token that it is good for.
func (l *signIn) finish(ctx context.Context, answer url.Values) error {
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(l.state)) != 1 {
		return errState
	}
	if iss := answer.Get("iss"); iss != "" && l.issuer != "" && iss != l.issuer { // RFC 9207: an answer of another server
		return errors.New("the answer is of another server than the one that was asked")
	}
	if code := answer.Get("error"); code != "" {
		return &ServerError{Host: host(l.conf.Endpoint.AuthURL), Code: plain(code, nil), Text: plain(answer.Get("error_description"), nil)}
	}
	return l.exchange(ctx, answer.Get("code"))
}

// exchange gives the code for a token.
func (l *signIn) exchange(ctx context.Context, code string) error {
	if code == "" {
		return errors.New("the answer has no code in it")
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, l.s.http)
	t, err := l.conf.Exchange(ctx, code, oauth2.VerifierOption(l.verifier))
	if err != nil {
		return serverError(l.conf.Endpoint.TokenURL, err, code, l.verifier, l.conf.ClientSecret)
	}
	return l.s.keep(ctx, t, l.conf.Endpoint.TokenURL)
}

// keep stores the first token of a sign-in.
func (s *Source) keep(ctx context.Context, t *oauth2.Token, address string) error {
	r, err := s.recordOf(t, address)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, s.opt.Locks, s.opt.Account)
	if err != nil {
		return err
	}
	defer unlock()
	s.mu.Lock()
	s.unsaved = nil
	s.mu.Unlock()
	return s.save(ctx, r)
}

// pastePort is a port where nobody listens, for it is reserved, and where browsers go: they do not go to low ones.
const pastePort = "49151"

// LoginPaste signs in with a browser on another machine: show gets the address to be opened there, and read returns what
// the browser's address line has when it was sent back here and could not come, or the code that the page shows.
func (s *Source) LoginPaste(ctx context.Context, show func(address string) error, read func(ctx context.Context) (string, error)) error {
	redirect := s.opt.Provider.Redirect
	if redirect != "oob" {
		u, err := url.Parse(redirect)
		if err != nil {
			return err
		}
		if u.Port() == "" {
			u.Host += ":" + pastePort
		}
		redirect = u.String()
	}
	l, err := s.newSignIn(ctx, redirect)
	if err != nil {
		return err
	}
	if err := show(l.address()); err != nil {
		return err
	}
	text, err := read(ctx)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if u, err := url.Parse(text); err == nil && strings.Contains(text, "state=") {
		return l.finish(ctx, u.Query())
	}
	if redirect != "oob" || strings.ContainsAny(text, " :/?&") || len(text) > 4096 {
		return errors.New("this is not the address that the browser was sent to: it begins with " + redirect + " and has a code in it")
	}
	return l.exchange(ctx, text)
}

// A DevicePrompt is what a person has to do on another device (RFC 8628 §3.2).
type DevicePrompt struct {
	// Address is the page to open there, Code what to type in. Complete is an address with the code in it, empty if the
	// server has none.
	Address, Code, Complete string
	// Minutes is for how long that can be done, 0 if it is not known.
	Minutes int
}

// LoginDevice signs in with a code that is typed in on another device. show gets what to show.
func (s *Source) LoginDevice(ctx context.Context, show func(DevicePrompt) error) error {
	conf, err := s.config(ctx)
	if err != nil {
		return err
	}
	if conf.Endpoint.DeviceAuthURL == "" {
		return &personError{errors.New("this provider has no sign-in by another device, or device_url is missing")}
	}
	d := &device{s: s, conf: conf}
	if err := d.begin(ctx); err != nil {
		return err
	}
	if err := show(d.prompt()); err != nil {
		return err
	}
	t, err := d.wait(ctx)
	if err != nil {
		return err
	}
	return s.keep(ctx, t, conf.Endpoint.TokenURL)
}

// Logout gives the token back to the server (RFC 7009), if it takes that, and removes it here in any case. With an error of
// the server's it is removed here all the same.
func (s *Source) Logout(ctx context.Context) (revoked bool, err error) {
	if s.opt.Flow == Command {
		return false, nil
	}
	unlock, err := lock(ctx, s.opt.Locks, s.opt.Account)
	if err != nil {
		return false, err
	}
	defer unlock()
	r, err := s.load(ctx)
	if err != nil {
		r = nil // it cannot be read, but removed
	}
	var failed error
	if r != nil {
		revoked, failed = s.revoke(ctx, r)
	}
	s.mu.Lock()
	s.unsaved = nil
	s.mu.Unlock()
	if err := s.opt.Store.Delete(ctx, s.opt.Account); err != nil {
		return revoked, errors.Join(failed, fmt.Errorf("the token of %s cannot be removed: %w", s.opt.Account, err))
	}
	return revoked, failed
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}
