package office

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// tokenHome returns the builder of a configuration, and its first [[fetch]].
func tokenHome(t *testing.T, text string) (*builder, *config.Config, *config.Fetch) {
	t.Helper()
	l, err := config.Parse("p", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	l.Data = t.TempDir()
	return &builder{folder: filepath.Join(l.Data, fetchName), oauth: l.FindOAuth}, &l.Config, &l.Fetch[0]
}

const withTokens = `[[fetch]]
name = "work"
url = "pop3s://bob%40example.org@pop.example.org"
oauth = "in"
gmail_oauth = "out"
imap_oauth = "out"
to = ["gmail:bob@gmail.com", "imaps://carl%40example.com@imap.example.com/INBOX"]
[[oauth]]
name = "in"
flow = "client"
token_url = "URL/token"
client_id = "` + oauthtest.ClientID + `"
client_secret = "env:POSTAMT_TEST_SECRET"
scopes = ["mail"]
[[oauth]]
name = "out"
provider = "gmail"
client_id = "x"
`

// A [[fetch]] has a token of its own for where mail comes from and for each place where it goes.
func TestTokensOfAFetch(t *testing.T) {
	t.Setenv("POSTAMT_TEST_SECRET", oauthtest.ClientSecret)
	s := oauthtest.New(t, oauthtest.Options{})
	b, cfg, f := tokenHome(t, strings.ReplaceAll(withTokens, "URL", s.URL))
	tokens, err := FetchTokens(cfg, f, nil)
	if err != nil || len(tokens) != 3 {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if tokens[0].Destination || !tokens[1].Destination || !tokens[2].Destination || tokens[0].Flow != "client" || tokens[1].OAuth != "out" {
		t.Errorf("%+v", tokens)
	}
	names := map[string]string{}
	for _, need := range tokenNeeds(f) {
		name, user := tokenOwner(f, need.use)
		names[name] = user
	}
	if len(names) != 3 || names["work"] != "bob@example.org" || names["work (to gmail)"] != "bob@gmail.com" || names["work (to imap)"] != "carl@example.com" {
		t.Errorf("owners %v", names)
	}

	get, refused, err := b.token(f, f.OAuth, fetchUse(f))
	if err != nil {
		t.Fatal(err)
	}
	first, err := get(t.Context())
	if err != nil || !s.Active(first) {
		t.Fatal(err)
	}
	refused(first)
	if second, err := get(t.Context()); err != nil || second == first {
		t.Errorf("after it was refused: the same token, %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(cfg.Data, "fetch", "oauth", "*.token")); len(files) != 1 {
		t.Errorf("files %v", files)
	}
}

// A destination without a token ends a run before anything is downloaded, and needs a person.
func TestTokenOfADestinationIsMissing(t *testing.T) {
	t.Parallel()
	b, _, f := tokenHome(t, withTokens[:strings.Index(withTokens, "[[oauth]]")]+strings.ReplaceAll(withTokens[strings.Index(withTokens, "[[oauth]]"):], "URL", "https://auth.example.org"))
	for _, d := range f.Destinations() {
		s, check, err := b.sink(f, d)
		if err != nil || check == nil {
			t.Fatalf("%s: %v", d.Kind, err)
		}
		defer s.Close()
		err = check(t.Context())
		if collect.Classify(err) != collect.Permanent || !strings.Contains(err.Error(), "postamt fetch login work") {
			t.Errorf("%s: %v", d.Kind, err)
		}
	}
}

// What the provider's trouble is for the collector.
func TestTokenFailures(t *testing.T) {
	t.Setenv("POSTAMT_TEST_SECRET", oauthtest.ClientSecret)
	s := oauthtest.New(t, oauthtest.Options{})
	b, _, f := tokenHome(t, strings.ReplaceAll(withTokens, "URL", s.URL))
	get, _, err := b.token(f, f.OAuth, oauth.UsePOP)
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(oauthtest.Fault{Status: 503})
	if _, err := get(t.Context()); collect.Classify(err) != collect.Temporary {
		t.Errorf("provider away: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := get(ctx); collect.Classify(err) != collect.Cancelled {
		t.Errorf("given up: %v", err)
	}
	if err := os.Unsetenv("POSTAMT_TEST_SECRET"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context()); collect.Classify(err) != collect.Permanent || !strings.Contains(err.Error(), "client_secret") {
		t.Errorf("no secret: %v", err)
	}
}

// The keys of an [[oauth]] stand in place of what is known of a provider.
func TestProviderOfAConfiguration(t *testing.T) {
	t.Parallel()
	o := config.OAuth{Provider: "yahoo", TokenURL: "https://t.example/", ClientAuth: "post", Redirect: "http://localhost:8123"}
	p, err := provider(&o)
	if err != nil || p.TokenURL != "https://t.example/" || p.Basic || p.Redirect != "http://localhost:8123" || !strings.HasPrefix(p.AuthURL, "https://api.login.yahoo.com/") {
		t.Errorf("%+v, %v", p, err)
	}
	o = config.OAuth{Provider: "outlook", Tenant: "example.org"}
	if p, err := provider(&o); err != nil || p.TokenURL != "https://login.microsoftonline.com/example.org/oauth2/v2.0/token" {
		t.Errorf("%+v, %v", p, err)
	}
	o = config.OAuth{Issuer: "https://i.example", ClientAuth: "basic"}
	if p, err := provider(&o); err != nil || p.Issuer != "https://i.example" || !p.Basic || p.Redirect != "http://127.0.0.1" {
		t.Errorf("%+v, %v", p, err)
	}
}
