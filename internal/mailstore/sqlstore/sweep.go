package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// sweepBatch is how many messages one transaction removes: a few milliseconds in which others cannot write.
const sweepBatch = 256

// Sweep removes what is past the undelete window, what is left of removed maildrops, and orphaned bodies.
func (s *Store) Sweep(ctx context.Context) (res mailstore.SweepResult, err error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	var removed []int64
	err = s.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		removed, err = readIDs(ctx, tx, sqlDropsToPurge)
		return err
	})
	for i := 0; err == nil && i < len(removed); i++ {
		err = s.purge(ctx, removed[i], &res)
	}
	upTo := s.opt.Now().Add(-max(s.opt.UndeleteWindow, 0)).UnixNano()
	for more := true; err == nil && more; {
		more, err = s.sweepOld(ctx, upTo, &res)
	}
	if now := s.opt.Now(); err == nil && (s.orphanWalk.IsZero() || now.Sub(s.orphanWalk) >= s.opt.OrphanSweep) {
		err = s.eachOrphan(ctx, func(e body.Entry) error {
			if err := s.bodies.Remove(ctx, e.ID); err != nil {
				return err
			}
			res.Bodies++
			res.Octets += e.Octets
			return nil
		})
		if err == nil {
			s.orphanWalk = now
		}
	}
	return res, fault("sweep", err)
}

func readIDs(ctx context.Context, tx catalog.Tx, query string, args ...any) ([]int64, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// sweepOld removes one batch of messages deleted up to a time and reports whether there may be more.
func (s *Store) sweepOld(ctx context.Context, upTo int64, res *mailstore.SweepResult) (more bool, err error) {
	var r reaper
	err = s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		r, more = reaper{}, false
		old, err := readOldDeletions(ctx, tx, upTo)
		if err != nil {
			return err
		}
		more = len(old) > 0
		for i := range old {
			if r.messages == sweepBatch {
				break
			}
			if err := r.deletion(ctx, tx, &old[i]); err != nil {
				return err
			}
		}
		return r.findUnused(ctx, tx)
	})
	if err != nil {
		return false, err
	}
	return more, s.bury(ctx, &r, res)
}

func readOldDeletions(ctx context.Context, tx catalog.Tx, upTo int64) ([]deletionRow, error) {
	rows, err := tx.Query(ctx, sqlOldDeletions, upTo, sweepBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []deletionRow
	for rows.Next() {
		var d deletionRow
		var seqs sql.RawBytes
		if err := rows.Scan(&d.drop, &d.revision, &d.chunk, &seqs); err != nil {
			return nil, err
		}
		if d.seqs, err = decodeSet(seqs); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// A reaper removes rows in one transaction and notes the bodies that belong to nothing after it.
type reaper struct {
	messages int
	bodies   []deadBody
}

type deadBody struct {
	id     body.ID
	octets int64
	shares bool // its file with bodies that are in use
	wrong  bool // its octets are: one of these begins inside it
}

// deletion removes the messages of a deletion, as many as the batch still takes.
func (r *reaper) deletion(ctx context.Context, tx catalog.Tx, d *deletionRow) error {
	var done set
	var octets int64
	for n := range d.seqs.all() {
		if r.messages == sweepBatch {
			break
		}
		size, err := r.message(ctx, tx, d.drop, d.chunk*chunkSize+int64(n))
		if err != nil {
			return err
		}
		octets += size
		done.add(n)
	}
	left := d.seqs.minus(done)
	var err error
	if left.empty() {
		_, err = tx.Exec(ctx, sqlDeleteDeletion, d.drop, d.revision, d.chunk)
	} else {
		_, err = tx.Exec(ctx, sqlSetDeletion, left.encode(), d.drop, d.revision, d.chunk)
	}
	if err != nil {
		return err
	}
	row, err := readDrop(ctx, tx, d.drop)
	if err != nil {
		if errors.Is(err, mailstore.ErrRemoved) {
			return nil // Remove came in between, and purges the rest
		}
		return err
	}
	row.deletedMessages -= int64(done.count())
	row.deletedOctets -= octets
	if err := row.write(ctx, tx, d.drop); err != nil {
		return err
	}
	return shrinkPack(ctx, tx, d.drop, d.chunk, row.packedTo)
}

// message removes the row of a message and returns its octets.
func (r *reaper) message(ctx context.Context, tx catalog.Tx, drop, seq int64) (int64, error) {
	var uid string
	var given bool
	var id []byte
	var octets int64
	err := tx.QueryRow(ctx, sqlMessageToSweep, drop, seq).Scan(&uid, &given, &id, &octets)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	b, err := bodyID(id)
	if err != nil {
		return 0, err
	}
	if given { // a random one cannot come by chance, a given one may come again
		if _, err := tx.Exec(ctx, sqlInsertUsed, drop, uid); err != nil {
			return 0, err
		}
	}
	if _, err := tx.Exec(ctx, sqlDeleteMessage, drop, seq); err != nil {
		return 0, err
	}
	r.messages++
	r.bodies = append(r.bodies, deadBody{id: b, octets: octets})
	return octets, nil
}

// findUnused leaves those bodies that no row refers to any more, each once.
func (r *reaper) findUnused(ctx context.Context, tx catalog.Tx) error {
	seen := make(map[body.ID]bool, len(r.bodies))
	unused := r.bodies[:0]
	for _, b := range r.bodies {
		if seen[b.id] {
			continue
		}
		seen[b.id] = true
		used, err := isUsed(ctx, tx, b.id, b.id)
		if err != nil {
			return err
		}
		if used {
			continue
		}
		if b.id.Bundled() {
			if err := b.findNeighbours(ctx, tx); err != nil {
				return err
			}
		}
		unused = append(unused, b)
	}
	r.bodies = unused
	return nil
}

// findNeighbours looks for bodies in the same bundle that are in use. A hole as long as a damaged row says must not reach
// into them.
func (b *deadBody) findNeighbours(ctx context.Context, tx catalog.Tx) (err error) {
	first, last := b.id.Range()
	if b.shares, err = isUsed(ctx, tx, first, last); err != nil || !b.shares {
		return err
	}
	first, last = b.id.Inside(b.octets)
	b.wrong, err = isUsed(ctx, tx, first, last)
	return err
}

// isUsed reports whether there is a message whose body has one of these IDs.
func isUsed(ctx context.Context, tx catalog.Tx, first, last body.ID) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, sqlIsUsed, first[:], last[:]).Scan(&n)
	return n > 0, err
}

// bury removes the bodies, after the commit that made them unused. Those that a crash or fault leaves are orphans, or stay
// in their bundle until it is one; so it goes through all of them, whatever happens. The file of a bundle goes only when it
// is so old that no delivery in progress can have another body in it: such a one has no row yet.
func (s *Store) bury(ctx context.Context, r *reaper, res *mailstore.SweepResult) error {
	ctx = context.WithoutCancel(ctx)
	res.Messages += r.messages
	old := s.opt.Now().Add(-s.opt.OrphanAge)
	var errs []error
	for _, b := range r.bodies {
		var err error
		switch {
		case b.wrong:
			err = fmt.Errorf("sqlstore: body %s was said to have %d octets, but another one begins before that: its room comes back "+
				"with that of its bundle", b.id, b.octets)
		case b.id.Bundled() && (b.shares || !b.id.Time().Before(old)):
			err = s.bodies.Release(ctx, b.id, b.octets)
		default:
			err = s.bodies.Remove(ctx, b.id)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		res.Bodies++
		res.Octets += b.octets
	}
	return errors.Join(errs...)
}

// shrinkPack gives back the room of a pack after messages were swept: wholly when none of its messages is left, and
// when most of it is waste. A pack may have more than there are rows, never less.
func shrinkPack(ctx context.Context, tx catalog.Tx, drop, chunk, packedTo int64) error {
	first := chunk * chunkSize
	last := min(first+chunkSize, packedTo)
	if last <= first {
		return nil
	}
	var left int
	if err := tx.QueryRow(ctx, sqlCountMessages, drop, first, last).Scan(&left); err != nil {
		return err
	}
	if left == 0 {
		if _, err := tx.Exec(ctx, sqlDeletePack, drop, chunk); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlDeleteChunk, drop, chunk)
		return err
	}
	g, err := readPack(ctx, tx, drop, chunk, nil)
	if err != nil && !isPackError(err) {
		return err
	}
	if err == nil && len(g.records) < 2*left+packEvery {
		return nil
	}
	if g, err = packFromRows(ctx, tx, drop, chunk, last); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, sqlSetPack, drop, chunk, g.encode(drop))
	return err
}

// eachOrphan calls fn for bodies that no message refers to and that are too old to belong to a delivery in progress.
func (s *Store) eachOrphan(ctx context.Context, fn func(body.Entry) error) error {
	const batch = 512
	var old []body.Entry
	check := func() error {
		var orphans []body.Entry
		err := s.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
			for _, e := range old {
				first, last := e.ID.Range()
				used, err := isUsed(ctx, tx, first, last)
				if err != nil {
					return err
				}
				if !used {
					orphans = append(orphans, e)
				}
			}
			return nil
		})
		for i := 0; err == nil && i < len(orphans); i++ {
			err = fn(orphans[i])
		}
		old = old[:0]
		return err
	}
	limit := s.opt.Now().Add(-s.opt.OrphanAge)
	err := s.bodies.Walk(ctx, func(e body.Entry) error {
		if !e.Modified.Before(limit) {
			return nil
		}
		if old = append(old, e); len(old) < batch {
			return nil
		}
		return check()
	})
	if err != nil {
		return err
	}
	return check()
}
