package office

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/secret"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/keyring"
)

// fromKeyring looks into the keyring. One that is locked will be unlocked some time, and nobody is alarmed before.
func fromKeyring(ctx context.Context, service, user string) (string, error) {
	password, err := keyring.Open().Get(ctx, service, user)
	if errors.Is(err, keyring.ErrLocked) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &collect.TemporaryError{Err: err}
	}
	return password, err
}

// A KeyringEntry is where the keyring of the desktop has a password.
type KeyringEntry struct {
	// Service and User are its names there.
	Service, User string
	// For says whose password it is, for people.
	For string
}

// FetchKeyring returns where the keyring has the password that a key of a [[fetch]] asks for ("password",
// "smtp_password", "imap_password" or "proxy_password"): one place for each server that it is for. It is an error if the password does not come from there.
func FetchKeyring(f *config.Fetch, key string) ([]KeyringEntry, error) {
	spec, who := f.Password, []secret.Options{{Host: f.Server().Host, User: f.Server().User}}
	switch key {
	case "proxy_password":
		user, host := f.ProxyUser()
		spec, who = f.ProxyPassword, []secret.Options{{Host: host, User: user}}
	case "smtp_password":
		spec, who = f.SMTPPassword, destinationUsers(f, config.ToSMTP, config.ToSMTPS)
	case "imap_password":
		spec, who = f.IMAPPassword, destinationUsers(f, config.ToIMAP, config.ToIMAPS)
	}
	var entries []KeyringEntry
	for _, w := range who {
		service, user, found, err := secret.KeyringEntry(spec, w)
		if err != nil {
			return nil, err
		}
		if found {
			entries = append(entries, KeyringEntry{Service: service, User: user, For: w.User + " at " + w.Host})
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf(`the %s of %s does not come from the keyring: write %s = "keyring" into its [[fetch]] first`, key, f.Name, key)
	}
	return entries, nil
}

// destinationUsers returns who signs in at the destinations of some kinds.
func destinationUsers(f *config.Fetch, kinds ...string) (who []secret.Options) {
	for _, d := range f.Destinations() {
		if host, _, err := net.SplitHostPort(d.Name); err == nil && d.User != "" && slices.Contains(kinds, d.Kind) {
			who = append(who, secret.Options{Host: host, User: d.User})
		}
	}
	return who
}
