package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// browse opens an address as a browser does, and returns the page at the end of it.
func browse(t *testing.T, address string) (status int, text string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestLoginBrowser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		redirect string
		opt      oauthtest.Options
		before   func(t *testing.T, back *url.URL) // what others on this machine do
		status   int
		page     string
		err      string
	}{
		{name: "good", redirect: "http://127.0.0.1", status: 200, page: "Signed in"},
		{name: "localhost, with a path", redirect: "http://localhost/back", status: 200, page: "Signed in"},
		{name: "denied", redirect: "http://127.0.0.1", opt: oauthtest.Options{Deny: true}, status: 502, page: "the user said &lt;no&gt;", err: "access_denied (the user said <no>)"},
		{
			name: "others come first", redirect: "http://127.0.0.1/back", status: 200, page: "Signed in",
			before: func(t *testing.T, back *url.URL) {
				for path, want := range map[string]int{
					"/favicon.ico": 404, "/back": 400, "/back?code=evil&state=guessed": 400, "/back?error=evil": 400,
				} {
					if status, text := browse(t, "http://"+back.Host+path); status != want || strings.Contains(text, "evil") {
						t.Errorf("%s: %d %s", path, status, text)
					}
				}
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := onPort(t, tt.opt)
			s := w.source(func(o *oauth.Options) { o.Provider.Redirect, o.Account = tt.redirect, tt.name })
			var back *url.URL
			done := make(chan struct{})
			err := s.LoginBrowser(t.Context(), func(address string) error {
				u, err := url.Parse(address)
				if err != nil {
					return err
				}
				if back, err = url.Parse(u.Query().Get("redirect_uri")); err != nil || u.Query().Get("login_hint") != oauthtest.User {
					t.Errorf("address %s", address)
				}
				go func() {
					defer close(done)
					if tt.before != nil {
						tt.before(t, back)
					}
					if status, text := browse(t, address); status != tt.status || !strings.Contains(text, tt.page) {
						t.Errorf("the browser shows %d %s, want %d %s", status, text, tt.status, tt.page)
					}
				}()
				return nil
			})
			<-done
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("LoginBrowser: %v, want %q", err, tt.err)
			}
			if err == nil {
				w.token(s)
			}
			// Another test may have the port by now.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
			if resp, err := client.Get(back.String() + "?state=x"); err == nil {
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if strings.Contains(string(text), "<b>"+tt.name+"</b>") {
					t.Error("it still listens")
				}
			}
			if refused := w.Refused(); len(refused) > 0 {
				t.Errorf("the server refused: %q", refused)
			}
		})
	}
}

func TestLoginBrowserEnds(t *testing.T) {
	t.Parallel()
	w := onPort(t, oauthtest.Options{})
	s := w.source()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("nobody came")
	err := s.LoginBrowser(ctx, func(string) error { cancel(why); return nil })
	if !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	if err := w.source(func(o *oauth.Options) { o.Provider.Redirect = "oob" }).LoginBrowser(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "--paste") {
		t.Errorf("%v", err)
	}
}

// However many requests others on this machine make, each is answered quickly, and they do not end the sign-in.
func TestLoginBrowserBounded(t *testing.T) {
	t.Parallel()
	w := onPort(t, oauthtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	_ = w.source().LoginBrowser(ctx, func(address string) error {
		u, _ := url.Parse(address)
		back := u.Query().Get("redirect_uri")
		last := 0
		for range 101 {
			last, _ = browse(t, back+"?state=x")
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("request 101 is answered with %d", last)
		}
		cancel()
		return nil
	})
}

func TestLoginPaste(t *testing.T) {
	t.Parallel()
	oob := func(o *oauth.Options) { o.Provider.Redirect = "oob" }
	for _, tt := range []struct {
		name   string
		option func(*oauth.Options)
		opt    oauthtest.Options
		change func(string) string
		err    string
	}{
		{name: "address"},
		{name: "code alone", option: oob},
		{name: "blanks", change: func(s string) string { return "  " + s + " \r" }},
		{name: "denied", opt: oauthtest.Options{Deny: true}, err: "access_denied"},
		{name: "another state", change: func(s string) string { return strings.Replace(s, "state=", "state=x", 1) }, err: "not the answer"},
		{name: "another server", change: func(s string) string { return strings.Replace(s, "iss=", "iss=x", 1) }, err: "another server"},
		{name: "no code", change: func(s string) string { return strings.Replace(s, "code=", "kode=", 1) }, err: "no code"},
		{name: "code of another", change: func(s string) string { return strings.Replace(s, "code=", "code=X", 1) }, err: "invalid_grant"},
		{name: "something else", change: func(string) string { return "https://auth.example.org/" }, err: "not the address"},
		{name: "code where an address is wanted", change: func(string) string { return "abc" }, err: "not the address"},
		{name: "code too long", option: oob, change: func(string) string { return strings.Repeat("x", 4097) }, err: "not the address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.opt)
			if tt.option != nil {
				w.change = append(w.change, tt.option)
			}
			s := w.source()
			show, read := w.open(tt.change)
			err := s.LoginPaste(t.Context(), show, read)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("LoginPaste: %v, want %q", err, tt.err)
			}
			if err == nil {
				w.token(s)
			}
		})
	}
}

// A code is of no use to whoever has not the verifier.
func TestStolenCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oauthtest.Options{})
	oob := func(o *oauth.Options) { o.Provider.Redirect = "oob" }
	show, read := w.open(nil)
	_ = w.source(oob).LoginPaste(t.Context(), show, func(context.Context) (string, error) { return "", errors.New("the code was stolen") })
	thief := w.source(oob)
	if err := thief.LoginPaste(t.Context(), func(string) error { return nil }, read); err == nil || !strings.Contains(err.Error(), "verifier") {
		t.Errorf("%v, want a refusal of the verifier", err)
	}
}

func TestLoginDevice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		after  time.Duration // until the code is typed in
		yes    bool
		faults []oauthtest.Fault
		err    string
	}{
		{name: "at once", yes: true},
		{name: "after a while", after: 3 * time.Minute, yes: true},
		{name: "no", after: 3 * time.Minute, err: "access_denied"},
		{name: "never", after: time.Hour, err: "in time"},
		{name: "server trouble", after: time.Minute, yes: true, faults: []oauthtest.Fault{{Status: 503}, {Hang: true}, {Status: 500, Code: "server_error"}}},
		{name: "garbage is trouble", after: time.Minute, yes: true, faults: []oauthtest.Fault{{Body: "hello"}}},
		{name: "refused", after: time.Minute, yes: true, faults: []oauthtest.Fault{{Status: 401, Code: "invalid_client"}}, err: "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, oauthtest.Options{})
				s := w.source()
				done := make(chan struct{})
				err := s.LoginDevice(t.Context(), func(p oauth.DevicePrompt) error {
					if p.Address != w.URL+"/activate" || len(p.Code) != 8 || !strings.Contains(p.Complete, p.Code) || p.Minutes != 10 {
						t.Errorf("prompt %+v", p)
					}
					w.Fail(tt.faults...)
					go func() {
						defer close(done)
						time.Sleep(tt.after)
						w.Type(p.Code, tt.yes)
					}()
					return nil
				})
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("LoginDevice: %v, want %q", err, tt.err)
				}
				if err == nil {
					w.token(s)
				}
				if slow := w.Asked("slow_down"); slow > 0 {
					t.Errorf("told to slow down %d times", slow)
				}
				if pending := w.Asked("authorization_pending"); tt.after == 3*time.Minute && (pending < 30 || pending > 36) {
					t.Errorf("asked %d times in vain, want once in 5 seconds", pending)
				}
				<-done
			})
		})
	}
}

// A server that says slow_down gets five seconds more, each time (RFC 8628 §3.5).
func TestLoginDeviceSlowsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, oauthtest.Options{})
		s := w.source()
		begun := time.Now()
		err := s.LoginDevice(t.Context(), func(p oauth.DevicePrompt) error {
			w.Fail(oauthtest.Fault{Status: 400, Code: "slow_down"}, oauthtest.Fault{Status: 400, Code: "slow_down"})
			w.Type(p.Code, true)
			return nil
		})
		if took := time.Since(begun); err != nil || took != (5+10+15)*time.Second {
			t.Errorf("%v after %v, want 5+10+15 seconds", err, took)
		}
	})
}

func TestLoginDeviceNotOffered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, oauthtest.Options{}, func(o *oauth.Options) { o.Provider.DeviceURL = "" })
	if err := w.source().LoginDevice(t.Context(), nil); err == nil || !oauth.NeedsPerson(err) {
		t.Errorf("%v", err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	for _, basic := range []bool{false, true} {
		w := newWorld(t, oauthtest.Options{}, func(o *oauth.Options) { o.Provider.Basic = basic })
		s := w.source()
		w.login(s)
		token := w.token(s)
		if revoked, err := s.Logout(t.Context()); !revoked || err != nil {
			t.Errorf("Logout = %v, %v", revoked, err)
		}
		if w.Active(token) {
			t.Error("the server still takes the token")
		}
		w.refuses(s, true, "postamt fetch login isp")
		if revoked, err := s.Logout(t.Context()); revoked || err != nil { // once more
			t.Errorf("Logout = %v, %v", revoked, err)
		}
	}
	// What the server says does not keep the token here.
	w := newWorld(t, oauthtest.Options{})
	w.login(w.source())
	s := w.source(func(o *oauth.Options) { o.Provider.RevokeURL = w.URL + "/gone" })
	if revoked, err := s.Logout(t.Context()); revoked || err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("Logout = %v, %v", revoked, err)
	}
	w.refuses(w.source(), true, "postamt fetch login isp")
}
