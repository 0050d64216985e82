package oauth

import (
	"context"
	"errors"
)

// Service is the service under which tokens are kept in a keyring; the user is the account's name.
const Service = "postamt oauth"

// A Ring is a keyring (package keyring).
type Ring interface {
	Get(ctx context.Context, service, user string) (string, error)
	Set(ctx context.Context, service, user, secret string) error
	Delete(ctx context.Context, service, user string) error
}

// A RingStore keeps tokens in the keyring of the desktop. They are as durable as the keyring writes them.
type RingStore struct {
	ring     Ring
	notFound error
}

// NewRingStore returns a store in a keyring, whose methods return an error like notFound for what is not there.
func NewRingStore(ring Ring, notFound error) *RingStore { return &RingStore{ring, notFound} }

// Load reads a secret.
func (r *RingStore) Load(ctx context.Context, account string) ([]byte, error) {
	text, err := r.ring.Get(ctx, Service, account)
	if errors.Is(err, r.notFound) {
		return nil, ErrNoToken
	}
	return []byte(text), err
}

// Save keeps a secret.
func (r *RingStore) Save(ctx context.Context, account string, record []byte) error {
	return r.ring.Set(ctx, Service, account, string(record))
}

// Delete removes a secret.
func (r *RingStore) Delete(ctx context.Context, account string) error {
	if err := r.ring.Delete(ctx, Service, account); err != nil && !errors.Is(err, r.notFound) {
		return err
	}
	return nil
}
