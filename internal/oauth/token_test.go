package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// A token is used until shortly before its end and then replaced, with the refresh token that came last.
func TestRenewedBeforeItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		s := w.source()
		w.refuses(s, true, "postamt fetch login isp")
		w.login(s)
		first := w.token(s)
		time.Sleep(54 * time.Minute)
		if w.token(s) != first {
			t.Error("replaced too early")
		}
		w.asked(0)
		for range 5 { // each time with another refresh token
			time.Sleep(2 * time.Minute)
			if next := w.token(s); next == first {
				t.Error("not replaced five minutes before its end")
			} else {
				first = next
			}
			time.Sleep(54 * time.Minute)
		}
		w.asked(5)
		if other := w.token(w.source()); other != first { // another process finds it
			t.Error("another process has another token")
		}
		if refused := w.Refused(); len(refused) > 0 {
			t.Errorf("the server refused: %q", refused)
		}
	})
}

// A token that lives for a minute is replaced a quarter of that before its end.
func TestShortLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{Life: time.Minute})
		s := w.source()
		w.login(s)
		first := w.token(s)
		time.Sleep(44 * time.Second)
		if w.token(s) != first {
			t.Error("replaced too early")
		}
		time.Sleep(2 * time.Second)
		if w.token(s) == first {
			t.Error("not replaced")
		}
		w.asked(1)
	})
}

// A server that does not say how long a token lives is believed until a mail server refuses it.
func TestNoEndKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{Life: -1, NoRotation: true})
		s := w.source()
		w.login(s)
		first := w.token(s)
		time.Sleep(100 * time.Hour)
		if w.token(s) != first {
			t.Error("replaced for no reason")
		}
		s.Refused(first)
		if w.token(s) == first {
			t.Error("not replaced after it was refused")
		}
		w.asked(1)
	})
}

// A token that is refused before its end is replaced once, by whoever comes first.
func TestRefusedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		s, other := w.source(), w.source()
		w.login(s)
		first := w.token(s)
		w.EndAccess()
		s.Refused(first)
		other.Refused(first)
		next := w.token(s)
		if next == first || w.token(other) != next {
			t.Error("not replaced, or twice")
		}
		w.asked(1)
		s.Refused("another")
		if w.token(s) != next {
			t.Error("replaced because of another token")
		}
	})
}

// What is wrong with the server for a while is temporary, and as long as the token at hand is good it is used.
func TestServerTrouble(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault oauthtest.Fault
		words []string
	}{
		"500":                   {oauthtest.Fault{Status: 500}, []string{"auth.example.org", "500"}},
		"503 with a code":       {oauthtest.Fault{Status: 503, Code: "temporarily_unavailable"}, []string{"temporarily_unavailable"}},
		"500 and invalid_grant": {oauthtest.Fault{Status: 500, Code: "invalid_grant"}, []string{"invalid_grant"}},
		"429":                   {oauthtest.Fault{Status: 429, Code: "invalid_request"}, nil},
		"400 of a proxy":        {oauthtest.Fault{Status: 400}, []string{"400"}},
		"timeout":               {oauthtest.Fault{Hang: true}, []string{"cannot be asked"}},
		"no JSON":               {oauthtest.Fault{Body: "hello"}, []string{"did not answer as it must"}},
		"no token":              {oauthtest.Fault{Body: "{}"}, []string{"did not answer as it must"}},
		"another kind":          {oauthtest.Fault{Body: `{"access_token":"x","token_type":"mac"}`}, []string{"no bearer token"}},
		"unknown code":          {oauthtest.Fault{Status: 400, Code: "come_back_later"}, []string{"come_back_later"}},
		"too long":              {oauthtest.Fault{Body: `{"x":"` + strings.Repeat("x", 256<<10) + `"}`}, []string{"too long"}},
		"redirect":              {oauthtest.Fault{Redirect: "https://auth.example.org/elsewhere"}, []string{"307"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, oauthtest.Options{})
				s := w.source()
				w.login(s)
				first := w.token(s)
				time.Sleep(57 * time.Minute)
				w.Fail(tt.fault, tt.fault)
				if w.token(s) != first {
					t.Error("a good token is not used")
				}
				time.Sleep(4 * time.Minute)
				w.refuses(s, false, append(tt.words, "isp")...)
				if w.token(s) == first { // the server has recovered
					t.Error("the old token, after its end")
				}
				if w.Asked("/elsewhere") > 0 {
					t.Error("a redirect was followed")
				}
			})
		})
	}
}

// A refusal is believed when it comes again, later; until then, and after it, the token is kept.
func TestRefusalIsConfirmed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code  string
		after time.Duration
		word  string
	}{
		{"invalid_grant", oauth.ConfirmAfter, "postamt fetch login isp"},
		{"interaction_required", oauth.ConfirmAfter, "postamt fetch login isp"},
		{"invalid_client", oauth.ConfirmClientAfter, "client_secret"},
		{"unauthorized_client", oauth.ConfirmClientAfter, "client_id"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, oauthtest.Options{})
				w.login(w.source())
				time.Sleep(2 * time.Hour)
				fault := oauthtest.Fault{Status: 400, Code: tt.code}

				w.Fail(fault)
				w.refuses(w.source(), false, tt.code, "asked again")
				for range 10 { // however many processes, however often: it is asked once in a minute
					w.refuses(w.source(), false, tt.code)
				}
				w.asked(1)
				time.Sleep(oauth.ConfirmAfter)
				w.token(w.source()) // it was a mistake
				w.asked(2)

				time.Sleep(2 * time.Hour)
				w.Fail(fault, fault, fault, fault)
				w.refuses(w.source(), false, tt.code)
				if tt.after > oauth.ConfirmAfter {
					time.Sleep(oauth.ConfirmAfter)
					w.refuses(w.source(), false, tt.code)
				}
				time.Sleep(tt.after)
				w.refuses(w.source(), true, tt.code, tt.word)
				st, err := w.source().State(t.Context())
				if err != nil || !st.NeedsLogin || !strings.Contains(st.Why, tt.code) {
					t.Errorf("state %+v, %v", st, err)
				}
				time.Sleep(oauth.ConfirmAfter)
				if tt.after == oauth.ConfirmAfter {
					w.refuses(w.source(), true, tt.code)
					time.Sleep(oauth.ConfirmAfter)
					w.refuses(w.source(), true, tt.code)
				} else {
					w.refuses(w.source(), true, tt.code)
				}
				time.Sleep(oauth.ConfirmAfter)
				w.token(w.source()) // even then nothing was thrown away
				if st, err := w.source().State(t.Context()); err != nil || st.NeedsLogin {
					t.Errorf("state %+v, %v", st, err)
				}
			})
		})
	}
}

// When the user has taken back the permission, somebody has to sign in, and that mends it.
func TestRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		s := w.source()
		w.login(s)
		first := w.token(s)
		w.EndAll()
		s.Refused(first)
		w.refuses(s, false, "invalid_grant")
		time.Sleep(oauth.ConfirmAfter)
		w.refuses(s, true, "invalid_grant", "run: postamt fetch login isp")
		w.login(w.source())
		w.token(s)
	})
}

// Without a refresh token a person is needed when the token ends, and not before.
func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{NoRefresh: true})
		s := w.source()
		w.login(s)
		first := w.token(s)
		time.Sleep(59 * time.Minute)
		if w.token(s) != first {
			t.Error("another token")
		}
		if st, err := s.State(t.Context()); err != nil || st.Renewable || st.NeedsLogin || !st.SignedIn {
			t.Errorf("state %+v, %v", st, err)
		}
		time.Sleep(2 * time.Minute)
		w.refuses(s, true, "run: postamt fetch login isp")
		if st, err := s.State(t.Context()); err != nil || !st.NeedsLogin {
			t.Errorf("state %+v, %v", st, err)
		}
	})
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	for _, basic := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, oauthtest.Options{}, func(o *oauth.Options) { o.Flow, o.Provider.Basic = oauth.ClientCredentials, basic })
			s := w.source()
			if st, err := s.State(t.Context()); err != nil || st.NeedsLogin || !st.Renewable {
				t.Errorf("state %+v, %v", st, err)
			}
			first := w.token(s)
			if w.token(w.source()) != first {
				t.Error("another process asks again")
			}
			time.Sleep(56 * time.Minute)
			if w.token(s) == first {
				t.Error("not replaced")
			}
			if got := w.Asked("client_credentials"); got != 2 {
				t.Errorf("asked %d times", got)
			}
			wrong := w.source(func(o *oauth.Options) {
				o.ClientSecret = func(context.Context) (string, error) { return "wrong", nil }
			})
			time.Sleep(2 * time.Hour)
			w.refuses(wrong, false, "invalid_client")
			time.Sleep(oauth.ConfirmClientAfter)
			w.refuses(wrong, true, "invalid_client", "client_secret")
		})
	}
}

// A token of another client, or for less, is not taken.
func TestConfigurationChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		w.login(w.source())
		for name, change := range map[string]func(*oauth.Options){
			"client": func(o *oauth.Options) { o.ClientID = "another" },
			"scopes": func(o *oauth.Options) { o.Scopes = []string{"mail", "send"} },
			"user":   func(o *oauth.Options) { o.User = "another@example.com" },
			"server": func(o *oauth.Options) { o.Provider.TokenURL = "https://other.example.org/token" },
		} {
			t.Log(name)
			w.refuses(w.source(change), true, "postamt fetch login isp")
		}
		w.token(w.source())
	})
}

// What cannot be stored is not used, and not lost: it is stored before anything else is done.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		w.login(w.source())
		full := &fullStore{Store: oauth.NewFileStore(w.folder, nil)}
		s := w.source(func(o *oauth.Options) { o.Store = full })
		time.Sleep(2 * time.Hour)
		full.full = true
		for range 3 {
			w.refuses(s, false, "no space left", "isp")
		}
		w.asked(1)
		full.full = false
		first := w.token(s)
		w.asked(1)
		if w.token(w.source()) != first {
			t.Error("it is not stored")
		}
	})
}

// fullStore is a store on a disk that is full at times.
type fullStore struct {
	oauth.Store
	full bool
}

func (f *fullStore) Save(ctx context.Context, account string, record []byte) error {
	if f.full {
		return errors.New("no space left on device")
	}
	return f.Store.Save(ctx, account, record)
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	only := func(o *oauth.Options) {
		o.Provider = oauth.Provider{Issuer: o.Provider.Issuer, Redirect: o.Provider.Redirect}
	}
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, oauthtest.Options{}, only)
		s := w.source()
		w.login(s)
		w.token(s)
		if ok, err := s.Logout(t.Context()); !ok || err != nil {
			t.Errorf("Logout = %v, %v", ok, err)
		}
		if got := w.Asked("/.well-known/oauth-authorization-server"); got != 1 {
			t.Errorf("asked %d times", got)
		}
	})
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		person bool
		word   string
	}{
		"another issuer": {say(`{"issuer":"https://evil.example.org","token_endpoint":"https://auth.example.org/token"}`), true, "another issuer"},
		"no token":       {say(`{"issuer":"https://auth.example.org"}`), true, "token_endpoint"},
		"no https":       {say(`{"issuer":"https://auth.example.org","token_endpoint":"http://auth.example.org/token"}`), true, "https"},
		"no JSON":        {say(`<html>`), false, "no JSON"},
		"too long":       {say(`{"x":"` + strings.Repeat("x", 256<<10) + `"}`), false, "too long"},
		"not there":      {http.NotFound, false, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, oauthtest.Options{}, only, func(o *oauth.Options) {
				o.Transport, o.Flow = direct{tt.answer}, oauth.ClientCredentials
			})
			w.refuses(w.source(), tt.person, tt.word, "https://auth.example.org")
		})
	}
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oauthtest.Options{})
	for word, change := range map[string]func(*oauth.Options){
		"client_id":  func(o *oauth.Options) { o.ClientID = "" },
		"token_url":  func(o *oauth.Options) { o.Provider = oauth.Provider{} },
		"https":      func(o *oauth.Options) { o.Provider.TokenURL = "http://auth.example.org/token" },
		"no address": func(o *oauth.Options) { o.Provider.Issuer = "auth.example.org" },
		"secret":     func(o *oauth.Options) { o.Flow, o.ClientSecret = oauth.ClientCredentials, nil },
		"no place":   func(o *oauth.Options) { o.Store = nil },
		"no program": func(o *oauth.Options) { o.Flow = oauth.Command },
	} {
		opt := w.options()
		change(&opt)
		if _, err := oauth.New(opt); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]oauth.Use{oauth.Gmail: oauth.UseGmailInsert, oauth.Outlook: oauth.UseIMAP, oauth.Yahoo: oauth.UsePOP} {
		p, err := oauth.Preset(name, "")
		if err != nil || len(oauth.Scopes(name, use, oauth.AuthorizationCode)) == 0 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		for _, address := range []string{p.AuthURL, p.TokenURL} {
			if err := oauth.CheckURL(address); err != nil {
				t.Errorf("%s: %q %v", name, address, err)
			}
		}
	}
	if p, _ := oauth.Preset(oauth.Outlook, "../x"); !strings.Contains(p.TokenURL, "/..%2Fx/oauth2") {
		t.Errorf("a tenant goes elsewhere: %s", p.TokenURL)
	}
	if _, err := oauth.Preset("aol", ""); err == nil {
		t.Error("an unknown provider is known")
	}
	for address, ok := range map[string]bool{
		"https://a.example": true, "http://127.0.0.1:1/x": true, "http://[::1]/": true, "http://localhost/": true,
		"http://a.example": false, "ftp://a.example": false, "https://u:p@a.example": false, "https://": false, "": false, "https://a/#f": false,
	} {
		if err := oauth.CheckURL(address); (err == nil) != ok {
			t.Errorf("CheckURL(%q) = %v", address, err)
		}
	}
}
