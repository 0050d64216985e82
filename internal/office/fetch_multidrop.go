package office

import (
	"context"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
)

// multidrop translates a destination that splits a mailbox among the accounts here. rest is the account for what is for
// none of them.
func (b *builder) multidrop(f *config.Fetch, rest string) (collect.Sink, func(context.Context) error, error) {
	last := &dropSink{store: b.store, accounts: b.accounts, account: rest}
	opt := sink.MultidropOptions{
		Name: rest, Header: f.Envelope, Skip: f.EnvelopeSkip, Prefix: f.EnvelopePrefix, Rest: last, Loop: f.Name + "@" + b.hostname,
		Route: func(ctx context.Context, address string) (collect.Sink, error) {
			to, err := b.accounts.Recipient(ctx, address)
			if errors.Is(err, account.ErrNotFound) {
				return nil, fmt.Errorf("%s: %w", address, sink.ErrNoRoute)
			}
			if err != nil {
				return nil, err
			}
			return sink.NewStore(b.store, mailstore.Recipient{Drop: mailstore.DropID(to.ID), Address: address}, to.Name), nil
		},
	}
	if f.Envelope == config.EnvelopeSDPS {
		opt.Header = ""
	}
	s, err := sink.NewMultidrop(opt)
	return s, last.check, err
}
