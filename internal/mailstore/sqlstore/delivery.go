package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

const maxKey = 200

// A delivery takes in one message.
type delivery struct {
	store *Store
	env   mailstore.Envelope
	w     body.Writer
	done  bool
}

var (
	errDelivered = errors.New("sqlstore: the delivery has ended")
	// errLate is for a machine that slept, or whose clock was set, in the middle of a delivery: a sweep might take the body
	// for an orphan.
	errLate = errors.New("sqlstore: the delivery took too long")
)

// Begin starts to take in a message.
func (s *Store) Begin(ctx context.Context, env mailstore.Envelope) (mailstore.Delivery, error) {
	d, err := s.begin(ctx, env)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (s *Store) begin(ctx context.Context, env mailstore.Envelope) (*delivery, error) {
	if env.UID != "" {
		if err := checkUID(env.UID); err != nil {
			return nil, err
		}
	}
	if len(env.Key) > maxKey {
		return nil, fmt.Errorf("sqlstore: the key of a delivery has %d octets, more than %d", len(env.Key), maxKey)
	}
	if len(env.Sender) > mailstore.MaxAddress {
		return nil, fmt.Errorf("sqlstore: the sender's address has %d octets, more than %d", len(env.Sender), mailstore.MaxAddress)
	}
	if y := env.Received.Year(); !env.Received.IsZero() && (y < 1900 || y > 2200) {
		return nil, fmt.Errorf("sqlstore: a message cannot have been received in the year %d", y)
	}
	w, err := s.bodies.Create(ctx)
	if err != nil {
		return nil, fault("begin a message", err)
	}
	return &delivery{store: s, env: env, w: w}, nil
}

func (d *delivery) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	return n, fault("write a message", err)
}

func (d *delivery) Abort() {
	d.done = true
	d.w.Abort()
}

// Commit stores the message: the body, then the rows. Concurrent commits share the work of the disk in both.
func (d *delivery) Commit(ctx context.Context, to []mailstore.Recipient) ([]mailstore.Receipt, error) {
	if d.done {
		return nil, errDelivered
	}
	defer d.Abort()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows, err := d.prepare(to)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	id, facts, err := d.w.Finish()
	if err != nil {
		return nil, fault("write a message", err)
	}
	if err := d.store.insert(ctx, letter{env: d.env, id: id, facts: facts, rows: rows}); err != nil {
		return nil, err
	}
	receipts := make([]mailstore.Receipt, len(rows))
	for i := range rows {
		receipts[i] = rows[i].receipt
	}
	return receipts, nil
}

// A letter is a message whose body is durable and whose rows are not there yet.
type letter struct {
	env   mailstore.Envelope
	id    body.ID
	facts body.Facts
	rows  []row
}

// insert puts messages into their maildrops, in order, durably, all or none, and sets the receipts of their rows. Bodies
// that no row refers to then are gone.
func (s *Store) insert(ctx context.Context, letters ...letter) error {
	started := false // whether rows may exist although Write fails: the commit itself was tried
	err := s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		started = false
		for i := range letters {
			l := &letters[i]
			if s.opt.Now().Sub(l.id.Time()) > s.opt.OrphanAge/2 {
				return errLate
			}
			for k := range l.rows {
				if err := l.rows[k].insert(ctx, tx, l.env, l.id, &l.facts); err != nil {
					return err
				}
			}
		}
		started = true
		return nil
	})
	for i := range letters {
		if l := &letters[i]; err != nil && !started || err == nil && !l.stored() {
			s.discard(l.id, l.facts.Octets)
		}
	}
	return fault("store a message", err)
}

// stored says whether any row was inserted.
func (l *letter) stored() bool {
	return slices.ContainsFunc(l.rows, func(r row) bool { return !r.receipt.Duplicate })
}

// discard removes a body that no row refers to. What cannot be removed goes with a sweep of orphans, or with its bundle.
func (s *Store) discard(id body.ID, octets int64) {
	_ = s.bodies.Release(context.Background(), id, octets)
}

// A row is a message on its way into one maildrop.
type row struct {
	drop     int64
	address  string
	uid      string
	received int64
	receipt  mailstore.Receipt
}

func (d *delivery) prepare(to []mailstore.Recipient) ([]row, error) {
	received := d.env.Received
	if received.IsZero() {
		received = d.store.opt.Now()
	}
	rows := make([]row, len(to))
	for i, r := range to {
		if err := checkID(r.Drop); err != nil {
			return nil, err
		}
		if len(r.Address) > mailstore.MaxAddress {
			return nil, fmt.Errorf("sqlstore: a recipient's address has %d octets, more than %d", len(r.Address), mailstore.MaxAddress)
		}
		rows[i] = row{drop: int64(r.Drop), address: r.Address, uid: d.env.UID, received: received.UnixNano()}
		if rows[i].uid == "" {
			var u rawUID
			if _, err := io.ReadFull(d.store.opt.Random, u[:]); err != nil {
				return nil, fmt.Errorf("sqlstore: no random numbers: %w", err)
			}
			rows[i].uid = u.String()
		}
	}
	return rows, nil
}

// packEvery is how many messages the tail of a maildrop may have before they are packed. It bounds what opening reads
// row by row.
const packEvery = 64

// insert puts the message into its maildrop and sets the receipt.
func (r *row) insert(ctx context.Context, tx catalog.Tx, env mailstore.Envelope, id body.ID, facts *body.Facts) error {
	r.receipt = mailstore.Receipt{UID: r.uid, Octets: facts.Octets}
	if env.Key != "" {
		dup, err := r.duplicate(ctx, tx, env.Key)
		if err != nil || dup {
			return err
		}
	}
	given := env.UID != ""
	if given {
		var n int
		if err := tx.QueryRow(ctx, sqlUIDWasUsed, r.drop, r.uid).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return mailstore.ErrUIDTaken
		}
	}
	var next, packedTo, removed int64
	var tail []byte
	err := tx.QueryRow(ctx, sqlDeliver, r.drop, []byte{}, facts.Octets).Scan(&next, &packedTo, &tail, &removed)
	switch {
	case err != nil:
		return err
	case removed != 0:
		return mailstore.ErrRemoved
	}
	_, err = tx.Exec(ctx, sqlInsertMessage, r.drop, next-1, r.uid, given, id[:], facts.Octets, facts.Header, facts.Wire,
		facts.SHA256[:], r.received, env.Sender, r.address)
	if errors.Is(err, catalog.ErrConstraint) {
		return fmt.Errorf("%w: %w", mailstore.ErrUIDTaken, err)
	}
	if err != nil {
		return err
	}
	if env.Key != "" {
		if _, err := tx.Exec(ctx, sqlInsertKey, r.drop, env.Key, r.uid, facts.Octets); err != nil {
			return err
		}
	}
	if next-packedTo < packEvery {
		return nil
	}
	deleted, err := decodeSet(tail)
	if err != nil {
		return fmt.Errorf("maildrop %d: %w", r.drop, err)
	}
	return packTail(ctx, tx, r.drop, packedTo, next, &deleted)
}

// duplicate reports whether the maildrop had a message with this key already, and then sets the receipt.
func (r *row) duplicate(ctx context.Context, tx catalog.Tx, key string) (bool, error) {
	var removed int64
	err := tx.QueryRow(ctx, sqlIsRemoved, r.drop).Scan(&removed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case removed != 0:
		return false, mailstore.ErrRemoved
	}
	dup, err := findKey(ctx, tx, r.drop, key)
	if dup != nil {
		r.receipt = *dup
	}
	return dup != nil, err
}

// findKey returns the receipt of the message that a maildrop had with this key, nil if it had none.
func findKey(ctx context.Context, tx catalog.Tx, drop int64, key string) (*mailstore.Receipt, error) {
	receipt := mailstore.Receipt{Duplicate: true}
	err := tx.QueryRow(ctx, sqlKey, drop, key).Scan(&receipt.UID, &receipt.Octets)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &receipt, nil
}
