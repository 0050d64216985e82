package secret

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// KeyringService is the service of the secrets that are written as "keyring" alone.
const KeyringService = "postamt"

// KeyringEntry says under which service and user of a keyring the password is; found is false if it is elsewhere. The word
// "keyring" alone means the service [KeyringService] and the user USER@HOST.
func KeyringEntry(spec string, opt Options) (service, user string, found bool, err error) {
	if spec == "keyring" {
		if opt.Host == "" || opt.User == "" {
			return "", "", true, errors.New("a password from the keyring needs the account's host and user; name both in the configuration")
		}
		return KeyringService, opt.User + "@" + opt.Host, true, nil
	}
	entry, found := strings.CutPrefix(spec, "keyring:")
	if !found {
		return "", "", false, nil
	}
	service, user, _ = strings.Cut(entry, "/")
	if service == "" || user == "" {
		return "", "", true, errors.New("a password from the keyring must be written as keyring:SERVICE/USER, or keyring alone")
	}
	return service, user, true, nil
}

type inKeyring struct {
	service, user string
	get           func(ctx context.Context, service, user string) (string, error)
}

func (k inKeyring) String() string {
	return fmt.Sprintf("the keyring (service %s, user %s)", k.service, k.user)
}

func (k inKeyring) Get(ctx context.Context) (string, error) {
	s, err := k.get(ctx, k.service, k.user)
	if err != nil {
		return "", err
	}
	return check(k.String(), s)
}
