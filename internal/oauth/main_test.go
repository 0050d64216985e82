package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// TestMain plays the other processes of TestRace and TestCrash, too.
func TestMain(m *testing.M) {
	if dir := os.Getenv(storeFolder); dir != "" {
		storeChild(dir)
	}
	if role := os.Getenv("POSTAMT_OAUTH_CHILD"); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

// direct carries requests to a server without a network, so that time can stand still.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// A world is a server, and a folder for tokens.
type world struct {
	*oauthtest.Server
	t      *testing.T
	folder string
	change []func(*oauth.Options)
}

// newWorld makes one without a network. It can be used in a bubble of synctest.
func newWorld(t *testing.T, opt oauthtest.Options, change ...func(*oauth.Options)) *world {
	t.Helper()
	w := &world{Server: oauthtest.NewHandler(t, opt), t: t, folder: filepath.Join(t.TempDir(), "oauth")}
	w.URL = "https://auth.example.org"
	w.change = append([]func(*oauth.Options){func(o *oauth.Options) { o.Transport = direct{w.Server} }}, change...)
	return w
}

// options are those of an account "isp".
func (w *world) options() oauth.Options {
	opt := oauth.Options{
		Account: "isp", User: oauthtest.User, Login: "postamt fetch login isp", ClientID: oauthtest.ClientID, Scopes: []string{"mail"},
		ClientSecret: func(context.Context) (string, error) { return oauthtest.ClientSecret, nil },
		Provider: oauth.Provider{
			Issuer: w.URL, AuthURL: w.URL + "/authorize", TokenURL: w.URL + "/token", DeviceURL: w.URL + "/device", RevokeURL: w.URL + "/revoke",
			Redirect: "http://127.0.0.1",
		},
		Store: oauth.NewFileStore(w.folder, nil), Locks: w.folder,
	}
	for _, f := range w.change {
		f(&opt)
	}
	return opt
}

// source is the account as a process has it that begins now.
func (w *world) source(change ...func(*oauth.Options)) *oauth.Source {
	w.t.Helper()
	opt := w.options()
	for _, f := range change {
		f(&opt)
	}
	s, err := oauth.New(opt)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// login signs in without a network, by pasting.
func (w *world) login(s *oauth.Source) {
	w.t.Helper()
	show, read := w.open(nil)
	if err := s.LoginPaste(w.t.Context(), show, read); err != nil {
		w.t.Fatal(err)
	}
}

// open plays a browser: the address that is shown is opened, and where it is sent to is pasted, as change makes it.
func (w *world) open(change func(string) string) (show func(string) error, read func(context.Context) (string, error)) {
	var at string
	show = func(address string) error {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		at = rec.Header().Get("Location")
		if at == "" {
			at = rec.Body.String()
		}
		if change != nil {
			at = change(at)
		}
		return nil
	}
	return show, func(context.Context) (string, error) { return at + "\n", nil }
}

// token returns a token that the server takes.
func (w *world) token(s *oauth.Source) string {
	w.t.Helper()
	token, err := s.Token(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if !w.Active(token) {
		w.t.Fatal("the server does not know the token")
	}
	return token
}

// refuses checks that there is no token, what the error says, and that nothing secret is in it.
func (w *world) refuses(s *oauth.Source, person bool, words ...string) {
	w.t.Helper()
	token, err := s.Token(w.t.Context())
	if err == nil || token != "" {
		w.t.Fatalf("there is a token, want an error with %q", words)
	}
	if oauth.NeedsPerson(err) != person {
		w.t.Errorf("NeedsPerson(%v) = %v", err, !person)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.t.Errorf("error %q does not say %q", err, word)
		}
	}
	w.checkSecrets(err)
}

// checkSecrets looks for the tokens in an error.
func (w *world) checkSecrets(err error) {
	w.t.Helper()
	text, loadErr := oauth.NewFileStore(w.folder, nil).Load(context.Background(), "isp")
	if loadErr != nil && !errors.Is(loadErr, oauth.ErrNoToken) {
		return
	}
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '"' }) {
		if len(word) > 25 && !strings.Contains(word, " ") && !strings.HasPrefix(word, "20") && strings.Contains(err.Error(), word) {
			w.t.Errorf("error %q shows the secret %q", err, word)
		}
	}
	if strings.Contains(err.Error(), oauthtest.ClientSecret) {
		w.t.Errorf("error %q shows the client's secret", err)
	}
}

// asked checks how often the server was asked to renew a token.
func (w *world) asked(want int) {
	w.t.Helper()
	if got := w.Asked("refresh_token"); got != want {
		w.t.Errorf("the server was asked to renew %d times, want %d", got, want)
	}
}

// child is another process: it gets a token and prints it, or is killed in the middle of storing one.
func child(role string) int {
	folder := os.Getenv("POSTAMT_OAUTH_FOLDER")
	w := &world{Server: &oauthtest.Server{URL: os.Getenv("POSTAMT_OAUTH_SERVER")}, folder: folder}
	opt := w.options()
	if role == "crash" {
		opt.Store = killedStore{opt.Store}
	}
	s, err := oauth.New(opt)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if role == "wait" { // until all are there
		var b [1]byte
		_, _ = os.Stdin.Read(b[:])
	}
	token, err := s.Token(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(token)
	return 0
}
