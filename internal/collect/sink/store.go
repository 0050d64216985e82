package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailstore"
)

// A Store is a maildrop in the Postamt store. It is safe for as long as the maildrop lives: the store remembers the keys
// of what it ever took in, also of messages that were deleted since.
type Store struct {
	store mailstore.Store
	to    mailstore.Recipient
	name  string
}

var _ collect.Sink = (*Store)(nil)

// NewStore returns a sink that delivers to a maildrop. The store stays the caller's: Close does not close it. account is
// whose maildrop it is, for Name.
func NewStore(store mailstore.Store, to mailstore.Recipient, account string) *Store {
	return &Store{store: store, to: to, name: "store:" + account}
}

// Name returns "store:" and the account.
func (s *Store) Name() string { return s.name }

// Safe returns true.
func (s *Store) Safe() bool { return true }

// Close does nothing.
func (s *Store) Close() error { return nil }

// Begin starts a delivery.
func (s *Store) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	d, err := s.store.Begin(ctx, mailstore.Envelope{Sender: letter.Sender, Received: letter.Received, Key: letter.Key})
	if err != nil {
		return nil, s.fault(err)
	}
	return &storeDelivery{sink: s, inner: d}, nil
}

// fault types an error of the store. What is wrong with the message, or with the maildrop for good, is final.
func (s *Store) fault(err error) error {
	err = fmt.Errorf("%s: %w", s.name, err)
	if errors.Is(err, mailstore.ErrTooLarge) || errors.Is(err, mailstore.ErrRemoved) {
		return err
	}
	return temporary(err)
}

type storeDelivery struct {
	sink  *Store
	inner mailstore.Delivery
}

func (d *storeDelivery) Write(p []byte) (int, error) {
	n, err := d.inner.Write(p)
	if err != nil {
		err = d.sink.fault(err)
	}
	return n, err
}

func (d *storeDelivery) Commit(ctx context.Context) error {
	if _, err := d.inner.Commit(ctx, []mailstore.Recipient{d.sink.to}); err != nil {
		return d.sink.fault(err)
	}
	return nil
}

func (d *storeDelivery) Abort() { d.inner.Abort() }
