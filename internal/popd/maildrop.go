package popd

import (
	"context"

	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A maildrop is an open maildrop of the store in the library's words.
type maildrop struct{ drop mailstore.Drop }

// Scan returns the drop itself, which answers from memory.
func (m maildrop) Scan(context.Context) (pop3server.Listing, error) { return m.drop, nil }

func (m maildrop) Message(ctx context.Context, i int) (pop3server.Body, error) {
	b, err := m.drop.Body(ctx, i)
	if err != nil {
		return pop3server.Body{}, reply(err)
	}
	form := pop3server.FormCRLF
	if b.Wire {
		form = pop3server.FormWire
	}
	return pop3server.Body{R: b.R, Form: form, Size: b.Size, Header: b.Header}, nil
}

func (m maildrop) Update(ctx context.Context, u pop3server.Outcome) error {
	return reply(m.drop.Update(ctx, mailstore.Update{Deleted: u.Deleted, Retrieved: u.Retrieved}))
}

func (m maildrop) Close() error { return m.drop.Close() }
