package office

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/keyring"
	"github.com/postamt/postamt/internal/testpeers"
)

// A locked keyring is no reason for an alarm; a password that is not in it is.
func TestFromKeyring(t *testing.T) {
	for password, want := range map[string]collect.Class{"": collect.Temporary, "pw": collect.Permanent} {
		t.Run("unlocked with "+password, func(t *testing.T) {
			testpeers.StartKeyring(t, password)
			source, err := new(builder).source(&config.Fetch{URL: "pop3s://bob@127.0.0.1:1", Password: "keyring"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Open(t.Context())
			if got := collect.Classify(err); got != want || errors.Is(err, keyring.ErrLocked) != (password == "") {
				t.Errorf("%v: %v, want %v", got, err, want)
			}
		})
	}
}

// Each password of an account has a place of its own in the keyring.
func TestFetchKeyring(t *testing.T) {
	t.Parallel()
	f := &config.Fetch{
		Name: "isp", URL: "pop3s://bob@pop.example.net", Password: "keyring", SMTPPassword: "keyring:mail/me", IMAPPassword: "keyring",
		Proxy: "http://carl@proxy.example.net:3128", ProxyPassword: "keyring",
		To: []string{"store:bob", "smtps://me@mail.example.org a@b", "imaps://eve@imap.example.org/INBOX"},
	}
	for key, want := range map[string][]KeyringEntry{
		"password":       {{Service: "postamt", User: "bob@pop.example.net", For: "bob at pop.example.net"}},
		"smtp_password":  {{Service: "mail", User: "me", For: "me at mail.example.org"}},
		"imap_password":  {{Service: "postamt", User: "eve@imap.example.org", For: "eve at imap.example.org"}},
		"proxy_password": {{Service: "postamt", User: "carl@proxy.example.net", For: "carl at proxy.example.net"}},
	} {
		got, err := FetchKeyring(f, key)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", key, got, err, want)
		}
	}
	if got, err := FetchKeyring(&config.Fetch{Name: "isp", URL: f.URL, Password: "prompt"}, "password"); err == nil {
		t.Errorf("a password that is elsewhere: %v", got)
	}
}
