package keyring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits.
const (
	// MaxSecret is the longest secret, in octets: tokens of OAuth are long.
	MaxSecret = 64 << 10
	// MaxName is the longest service or user, in octets.
	MaxName = 255
	// Timeout is how long a call may take: somebody may have to type the password of the keyring.
	Timeout = time.Minute
)

// Errors, which the methods of a Ring wrap.
var (
	// ErrNotFound means that the keyring can be read and has no such secret.
	ErrNotFound = errors.New("the keyring has no such secret")
	// ErrUnreachable means that there is no keyring for this process, as in a daemon without a desktop.
	ErrUnreachable = errors.New("no keyring can be reached")
	// ErrLocked means that the keyring is locked and nobody unlocked it, or that there is no default keyring.
	ErrLocked = errors.New("the keyring is locked")
)

// A Ring is the keyring of the person whom this process belongs to. It may be used concurrently.
type Ring struct {
	timeout time.Duration
}

// Open returns the keyring. Nothing is connected before it is used.
func Open() *Ring { return &Ring{timeout: Timeout} }

// Get returns the secret of a user of a service, or ErrNotFound.
func (r *Ring) Get(ctx context.Context, service, user string) (string, error) {
	return r.do(ctx, request{kind: get, service: service, user: user})
}

// Set keeps the secret of a user of a service, in place of the one that is there.
func (r *Ring) Set(ctx context.Context, service, user, secret string) error {
	if secret == "" || len(secret) > MaxSecret {
		return fmt.Errorf("a secret for the keyring must have 1 to %d octets", MaxSecret)
	}
	_, err := r.do(ctx, request{kind: set, service: service, user: user, secret: secret})
	return err
}

// Delete removes the secret of a user of a service; without one it returns ErrNotFound.
func (r *Ring) Delete(ctx context.Context, service, user string) error {
	_, err := r.do(ctx, request{kind: remove, service: service, user: user})
	return err
}

// do carries a request out, and adds to its error what a person wants to know.
func (r *Ring) do(ctx context.Context, req request) (string, error) {
	for _, name := range []string{req.service, req.user} {
		// The bus hangs up on what is not UTF-8.
		if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
			return "", fmt.Errorf("a service or user for the keyring must have 1 to %d octets of text in UTF-8", MaxName)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	secret, err := run(ctx, req)
	switch {
	case err == nil:
		return secret, nil
	case errors.Is(err, ErrNotFound):
		return "", fmt.Errorf("%w for service %q and user %q", ErrNotFound, req.service, req.user)
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrLocked):
		return "", err
	case ctx.Err() != nil:
		return "", fmt.Errorf("the keyring did not answer in time, perhaps it waits for somebody to unlock it: %w", err)
	default:
		return "", fmt.Errorf("the keyring refused: %w", err)
	}
}
