package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// A batch takes in messages for one maildrop.
type batch struct {
	store   *Store
	to      mailstore.Recipient
	members []member
	buf     []byte // for what is being read
	done    bool
}

// readAtOnce is how much of a message is read at once.
const readAtOnce = 32 << 10

// A member is a message of a batch.
type member struct {
	delivery *delivery          // nil if the maildrop had it already
	receipt  *mailstore.Receipt // of that
}

var errBatchFull = fmt.Errorf("sqlstore: a batch has %d messages at most", mailstore.MaxBatch)

// Batch starts to take in messages for one maildrop.
func (s *Store) Batch(to mailstore.Recipient) mailstore.Batch { return &batch{store: s, to: to} }

// Add takes in a message.
func (b *batch) Add(ctx context.Context, env mailstore.Envelope, r io.Reader) error {
	switch {
	case b.done:
		return errDelivered
	case len(b.members) == mailstore.MaxBatch:
		return errBatchFull
	}
	d, err := b.store.begin(ctx, env)
	if err != nil {
		return err
	}
	m := member{delivery: d}
	if env.Key != "" {
		// Commit looks again. This spares what is there already the way to the disk and back.
		err := b.store.cat.ReadOne(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
			m.receipt, err = findKey(ctx, tx, int64(b.to.Drop), env.Key)
			return err
		})
		if err != nil {
			d.Abort()
			return fault("look for a message", err)
		}
	}
	if m.receipt != nil {
		d.Abort()
		m.delivery = nil
	} else if err := b.read(d, r); err != nil {
		d.Abort()
		return err
	}
	b.members = append(b.members, m)
	return nil
}

// read reads r to its end. A WriteTo of r is hidden: that of a file would make a buffer for each.
func (b *batch) read(d *delivery, r io.Reader) error {
	if b.buf == nil {
		b.buf = make([]byte, readAtOnce)
	}
	_, err := io.CopyBuffer(d, struct{ io.Reader }{r}, b.buf)
	return err
}

// Abort gives the messages up.
func (b *batch) Abort() {
	b.done = true
	for _, m := range b.members {
		if m.delivery != nil {
			m.delivery.Abort()
		}
	}
}

// Commit makes the bodies durable, all at the same time, so that small ones share files, and then the rows.
func (b *batch) Commit(ctx context.Context) ([]mailstore.Receipt, error) {
	if b.done {
		return nil, errDelivered
	}
	defer b.Abort()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	letters, err := b.finish()
	if err != nil {
		return nil, err
	}
	if len(letters) > 0 {
		if err := b.store.insert(ctx, letters...); err != nil {
			return nil, err
		}
	}
	receipts := make([]mailstore.Receipt, len(b.members))
	for i, m := range b.members {
		if m.receipt != nil {
			receipts[i] = *m.receipt
		} else {
			receipts[i], letters = letters[0].rows[0].receipt, letters[1:]
		}
	}
	return receipts, nil
}

// finish makes the bodies durable that the maildrop does not have, all or none.
func (b *batch) finish() ([]letter, error) {
	var letters []letter
	var writers []body.Writer
	for _, m := range b.members {
		if m.delivery == nil {
			continue
		}
		rows, err := m.delivery.prepare([]mailstore.Recipient{b.to})
		if err != nil {
			return nil, err
		}
		letters = append(letters, letter{env: m.delivery.env, rows: rows})
		writers = append(writers, m.delivery.w)
	}
	errs := make([]error, len(letters))
	var wg sync.WaitGroup
	for i := range letters {
		wg.Go(func() { letters[i].id, letters[i].facts, errs[i] = writers[i].Finish() })
	}
	wg.Wait()
	err := cmp.Or(errs...)
	if err == nil {
		return letters, nil
	}
	for i, l := range letters {
		if errs[i] == nil {
			b.store.discard(l.id, l.facts.Octets)
		}
	}
	return nil, fault("write a message", err)
}
