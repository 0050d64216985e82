package office

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postamt/postamt/internal/argv"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/keyring"
	"github.com/postamt/postamt/internal/oauth"
)

// token returns what gets a token of the [[oauth]] of that name for a [[fetch]], in the manner of a source of passwords,
// and what has to be told of a token that a server did not take, so that get returns another one the next time. The errors
// of get are the collector's: permanent if somebody has to sign in.
//
// The tokens for where mail comes from and for where it goes are two, even with the same [[oauth]].
func (b *builder) token(f *config.Fetch, name string, use oauth.Use) (get func(context.Context) (string, error), refused func(token string), err error) {
	s, err := b.tokens(f, name, use)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) (string, error) {
		token, err := s.Token(ctx)
		switch {
		case err == nil:
			return token, nil
		case ctx.Err() != nil:
			return "", err
		case oauth.NeedsPerson(err):
			return "", &collect.PermanentError{Err: err}
		}
		return "", &collect.TemporaryError{Err: err}
	}, s.Refused, nil
}

// tokenCheck returns what tells before each run whether there is a token for a destination that wants one: without it
// nothing need be downloaded, and what is wrong is not about a message. It returns nil for other destinations.
func (b *builder) tokenCheck(f *config.Fetch, d config.Destination) func(context.Context) error {
	name, use := "", oauth.UseGmailInsert
	switch d.Kind {
	case config.ToGmail:
		name = f.GmailOAuth
	case config.ToIMAP, config.ToIMAPS:
		name, use = f.IMAPOAuth, oauth.UseIMAPAppend
	}
	if name == "" {
		return nil
	}
	get, _, err := b.token(f, name, use)
	return func(ctx context.Context) error {
		if err != nil {
			return &collect.PermanentError{Err: err}
		}
		if _, err := get(ctx); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		return nil
	}
}

// tokens translates an [[oauth]] for one [[fetch]].
func (b *builder) tokens(f *config.Fetch, name string, use oauth.Use) (*oauth.Source, error) {
	o := b.oauth(name)
	if o == nil {
		return nil, fmt.Errorf("there is no [[oauth]] with the name %q", name)
	}
	folder := filepath.Join(b.folder, "oauth")
	opt := oauth.Options{Login: "postamt fetch login " + f.Name, ClientID: o.ClientID, Scopes: o.Scopes, Locks: folder}
	opt.Account, opt.User = tokenOwner(f, use)
	switch o.Flow {
	case "device":
		opt.Flow = oauth.DeviceCode
	case "client":
		opt.Flow = oauth.ClientCredentials
	case "command":
		opt.Flow = oauth.Command
		var err error
		if opt.Program, err = argv.Split(o.Command); err != nil {
			return nil, err
		}
		return oauth.New(opt)
	}
	if len(opt.Scopes) == 0 {
		opt.Scopes = oauth.Scopes(o.Provider, use, opt.Flow)
	}
	var err error
	if opt.Provider, err = provider(o); err != nil {
		return nil, err
	}
	if o.ClientSecret != "" {
		if opt.ClientSecret, err = b.password(o.ClientSecret, o.Name, o.ClientID); err != nil {
			return nil, err
		}
	}
	if opt.Store, err = b.tokenStore(o, folder); err != nil {
		return nil, err
	}
	if f.Proxy != "" {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.Proxy, t.DisableKeepAlives = nil, true
		if t.DialContext, err = b.dialer(f); err != nil {
			return nil, err
		}
		opt.Transport = t
	}
	return oauth.New(opt)
}

// tokenOwner returns the name of a token, and whose mailbox it is for. There is one for where mail comes from, and one for
// each kind of place where it goes.
func tokenOwner(f *config.Fetch, use oauth.Use) (name, user string) {
	var place string
	var kinds []string
	switch use {
	case oauth.UsePOP, oauth.UseIMAP:
		return f.Name, f.Server().User
	case oauth.UseGmailInsert:
		place, kinds = " (to gmail)", []string{config.ToGmail}
	case oauth.UseIMAPAppend:
		place, kinds = " (to imap)", []string{config.ToIMAP, config.ToIMAPS}
	}
	for _, d := range f.Destinations() {
		if slices.Contains(kinds, d.Kind) {
			user = d.User
			if d.Kind == config.ToGmail {
				user = d.Name
			}
		}
	}
	return f.Name + place, user
}

// provider is what is known of a provider, with what the configuration says instead.
func provider(o *config.OAuth) (oauth.Provider, error) {
	p := oauth.Provider{Redirect: "http://127.0.0.1"}
	if o.Provider != "" {
		var err error
		if p, err = oauth.Preset(o.Provider, o.Tenant); err != nil {
			return oauth.Provider{}, err
		}
	}
	for to, from := range map[*string]string{
		&p.Issuer: o.Issuer, &p.AuthURL: o.AuthURL, &p.TokenURL: o.TokenURL, &p.DeviceURL: o.DeviceURL, &p.RevokeURL: o.RevokeURL, &p.Redirect: o.Redirect,
	} {
		if from != "" {
			*to = from
		}
	}
	switch o.ClientAuth {
	case "basic":
		p.Basic = true
	case "post":
		p.Basic = false
	}
	return p, nil
}

// tokenStore is where the tokens of an [[oauth]] are kept.
func (b *builder) tokenStore(o *config.OAuth, folder string) (oauth.Store, error) {
	if o.Store == "keyring" {
		return oauth.NewRingStore(keyring.Open(), keyring.ErrNotFound), nil
	}
	if o.Key == "" {
		return oauth.NewFileStore(folder, nil), nil
	}
	key, err := b.password(o.Key, o.Name, "key")
	if err != nil {
		return nil, err
	}
	return oauth.NewFileStore(folder, key), nil
}

// A FetchToken is a token that a [[fetch]] needs.
type FetchToken struct {
	// Account is the [[fetch]], OAuth the name of its [[oauth]], Flow how its tokens are had ("code", "device", "client" or
	// "command"), Destination whether it is for where the mail goes.
	Account, OAuth, Flow string
	Destination          bool
	Source               *oauth.Source
}

// FetchTokens returns the tokens that a [[fetch]] needs, none if it signs in otherwise. prompt asks a person for a password.
func FetchTokens(cfg *config.Config, f *config.Fetch, prompt func(ctx context.Context, question string) (string, error)) ([]FetchToken, error) {
	b := builder{folder: filepath.Join(cfg.Data, fetchName), oauth: cfg.FindOAuth, prompt: once(prompt)}
	var all []FetchToken
	for _, need := range tokenNeeds(f) {
		s, err := b.tokens(f, need.name, need.use)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		all = append(all, FetchToken{
			Account: f.Name, OAuth: need.name, Flow: cfg.FindOAuth(need.name).Flow, Destination: need.use == oauth.UseGmailInsert || need.use == oauth.UseIMAPAppend, Source: s,
		})
	}
	return all, nil
}

// fetchUse is what the token for where mail comes from is for.
func fetchUse(f *config.Fetch) oauth.Use {
	if strings.HasPrefix(strings.ToLower(f.URL), "imap") {
		return oauth.UseIMAP
	}
	return oauth.UsePOP
}

// A tokenNeed is an [[oauth]] that a [[fetch]] names, and what for.
type tokenNeed struct {
	name string
	use  oauth.Use
}

// tokenNeeds lists what a [[fetch]] needs tokens for.
func tokenNeeds(f *config.Fetch) []tokenNeed {
	var needs []tokenNeed
	if f.OAuth != "" {
		needs = append(needs, tokenNeed{f.OAuth, fetchUse(f)})
	}
	if f.GmailOAuth != "" {
		needs = append(needs, tokenNeed{f.GmailOAuth, oauth.UseGmailInsert})
	}
	if f.IMAPOAuth != "" {
		needs = append(needs, tokenNeed{f.IMAPOAuth, oauth.UseIMAPAppend})
	}
	return needs
}
