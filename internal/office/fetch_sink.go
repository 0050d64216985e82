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
	"github.com/postamt/postamt/internal/smtpclient"
)

// sink translates a destination. check, if not nil, tells before each run whether mail can go there.
func (b *builder) sink(f *config.Fetch, d config.Destination) (s collect.Sink, check func(context.Context) error, err error) {
	switch d.Kind {
	case config.ToStore:
		drop := &dropSink{store: b.store, accounts: b.accounts, account: d.Name}
		return drop, drop.check, nil
	case config.ToMultidrop:
		return b.multidrop(f, d.Name)
	case config.ToIMAP, config.ToIMAPS:
		s, err = b.imapSink(f, d)
	case config.ToGmail:
		s, err = b.gmail(f, d)
	case config.ToMaildir:
		s, err = sink.NewMaildir(d.Name, sink.MaildirOptions{})
	case config.ToMbox:
		s, err = sink.NewMbox(d.Name, sink.MboxOptions{})
	case config.ToPipe:
		p, err := sink.NewPipe(d.Words, sink.PipeOptions{})
		if err != nil {
			return nil, nil, err
		}
		return p, p.Ready, nil
	case config.ToLMTP:
		address := d.Name
		if network, path := config.SplitAddress(d.Name); network == "unix" {
			address = path
		}
		s, err = sink.NewLMTP(sink.ServerOptions{
			Server: smtpclient.Options{Addr: address, Security: smtpclient.Cleartext, LocalName: b.hostname}, To: d.Words,
		})
	default:
		s, err = b.smtp(f, d)
	}
	return s, b.tokenCheck(f, d), err
}

// A dropSink is a maildrop here. Its account is looked up at each delivery: it may be removed, and made anew, at any time.
type dropSink struct {
	store    mailstore.Store
	accounts account.Directory
	account  string
}

func (s *dropSink) Name() string { return "store:" + s.account }
func (s *dropSink) Safe() bool   { return true }
func (s *dropSink) Close() error { return nil }

func (s *dropSink) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	to, err := s.find(ctx)
	if err != nil {
		return nil, &collect.TemporaryError{Err: err}
	}
	return sink.NewStore(s.store, to, s.account).Begin(ctx, letter)
}

// check says what is wrong before anything is downloaded.
func (s *dropSink) check(ctx context.Context) error {
	_, err := s.find(ctx)
	if errors.Is(err, account.ErrNotFound) {
		return &collect.PermanentError{Err: fmt.Errorf("store:%s: there is no such account here, postamt account add %s makes it", s.account, s.account)}
	}
	if err != nil {
		return &collect.TemporaryError{Err: err}
	}
	return nil
}

func (s *dropSink) find(ctx context.Context) (mailstore.Recipient, error) {
	to, err := s.accounts.Lookup(ctx, s.account)
	if err != nil {
		return mailstore.Recipient{}, fmt.Errorf("store:%s: %w", s.account, err)
	}
	return mailstore.Recipient{Drop: mailstore.DropID(to.ID), Address: s.account}, nil
}

// noSink stands where there is none.
type noSink struct{}

func (noSink) Name() string { return "none" }
func (noSink) Safe() bool   { return true }
func (noSink) Close() error { return nil }
func (noSink) Begin(context.Context, collect.Letter) (collect.Delivery, error) {
	return nil, &collect.TemporaryError{Err: errors.New("there is no destination")}
}
