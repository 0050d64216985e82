package sqlstore

import (
	"context"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// Remove deletes a maildrop. The first transaction is the removal; what follows gives room back, and Sweep goes on with
// it where it is cut off. Removing again does no harm.
func (s *Store) Remove(ctx context.Context, id mailstore.DropID) error {
	if err := checkID(id); err != nil {
		return err
	}
	err := s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error { return s.RemoveIn(ctx, tx, id) })
	if err == nil {
		s.cache.drop(int64(id))
		var res mailstore.SweepResult
		err = s.purge(ctx, int64(id), &res)
	}
	return fault("remove a maildrop", err)
}

// RemoveIn is the removal itself, as a part of a transaction of the caller's in the same catalog. Remove after it gives the
// room back at once; else Sweep does.
func (s *Store) RemoveIn(ctx context.Context, tx catalog.Tx, id mailstore.DropID) error {
	_, err := tx.Exec(ctx, sqlRemoveDrop, int64(id), []byte{}, s.now())
	return err
}

// purges remove what belongs to a maildrop besides its messages, a bounded part at a time.
var purges = []string{sqlPurgeDeletions, sqlPurgeChunks, sqlPurgePacks, sqlPurgeKeys, sqlPurgeUsed}

// purge removes all rows of a removed maildrop but the one that remembers its id, in bounded batches.
func (s *Store) purge(ctx context.Context, drop int64, res *mailstore.SweepResult) error {
	for more := true; more; {
		var r reaper
		err := s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
			r = reaper{}
			if more, err = r.purge(ctx, tx, drop); err != nil {
				return err
			}
			return r.findUnused(ctx, tx)
		})
		if err != nil {
			return err
		}
		if err := s.bury(ctx, &r, res); err != nil {
			return err
		}
	}
	return nil
}

func (r *reaper) purge(ctx context.Context, tx catalog.Tx, drop int64) (more bool, err error) {
	seqs, err := r.firstMessages(ctx, tx, drop)
	if err != nil {
		return false, err
	}
	for _, seq := range seqs {
		if _, err := tx.Exec(ctx, sqlDeleteMessage, drop, seq); err != nil {
			return false, err
		}
	}
	if len(seqs) > 0 {
		return true, nil
	}
	for _, query := range purges {
		result, err := tx.Exec(ctx, query, drop, drop)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return false, err
		}
		more = more || n > 0
	}
	if !more {
		_, err = tx.Exec(ctx, sqlSetPurged, drop)
	}
	return more, err
}

// firstMessages notes the bodies of the first messages of a maildrop and returns their sequence numbers.
func (r *reaper) firstMessages(ctx context.Context, tx catalog.Tx, drop int64) ([]int64, error) {
	rows, err := tx.Query(ctx, sqlFirstMessages, drop, sweepBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var seqs []int64
	for rows.Next() {
		var seq, octets int64
		var id []byte
		if err := rows.Scan(&seq, &id, &octets); err != nil {
			return nil, err
		}
		var b body.ID
		if b, err = bodyID(id); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
		r.bodies = append(r.bodies, deadBody{id: b, octets: octets})
	}
	r.messages = len(seqs)
	return seqs, rows.Err()
}
