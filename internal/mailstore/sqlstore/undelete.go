package sqlstore

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// A deletionRow is a row of deletions.
type deletionRow struct {
	drop, revision, chunk, deleted int64
	seqs                           set
}

// sinceNanos returns the nanoseconds from which on deletions are meant.
func sinceNanos(since time.Time) int64 {
	if since.Year() < 1700 { // the zero time, and what nanoseconds since 1970 cannot say
		return math.MinInt64
	}
	return since.UnixNano()
}

func readDeletions(ctx context.Context, tx catalog.Tx, drop int64, query string, args ...any) ([]deletionRow, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []deletionRow
	for rows.Next() {
		d := deletionRow{drop: drop}
		var seqs sql.RawBytes
		if err := rows.Scan(&d.revision, &d.chunk, &d.deleted, &seqs); err != nil {
			return nil, err
		}
		if d.seqs, err = decodeSet(seqs); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// Deleted lists what can be brought back.
func (s *Store) Deleted(ctx context.Context, id mailstore.DropID, since time.Time) ([]mailstore.DeletedMessage, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	var list []mailstore.DeletedMessage
	err := s.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if _, err := readDrop(ctx, tx, int64(id)); err != nil {
			return err
		}
		deletions, err := readDeletions(ctx, tx, int64(id), sqlDeletions, int64(id), sinceNanos(since))
		if err != nil {
			return err
		}
		for i := range deletions {
			if list, err = s.appendDeleted(ctx, tx, list, &deletions[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault("list deleted messages", err)
	}
	slices.SortStableFunc(list, func(a, b mailstore.DeletedMessage) int { return b.Deleted.Compare(a.Deleted) })
	return list, nil
}

func (s *Store) appendDeleted(
	ctx context.Context, tx catalog.Tx, list []mailstore.DeletedMessage, d *deletionRow,
) ([]mailstore.DeletedMessage, error) {
	at := time.Unix(0, d.deleted).UTC()
	until := at.Add(max(s.opt.UndeleteWindow, 0))
	err := eachInfo(ctx, tx, d.drop, d.chunk*chunkSize, (d.chunk+1)*chunkSize, func(i *infoRow) error {
		if d.seqs.has(int(i.seq % chunkSize)) {
			list = append(list, mailstore.DeletedMessage{Info: i.Info, Deleted: at, Until: until})
		}
		return nil
	})
	return list, err
}

// An infoRow is a row of messages.
type infoRow struct {
	seq  int64
	body body.ID
	mailstore.Info
}

// eachInfo calls fn for the rows of a maildrop from seq first up to, without, last.
func eachInfo(ctx context.Context, tx catalog.Tx, drop, first, last int64, fn func(*infoRow) error) error {
	rows, err := tx.Query(ctx, sqlInfos, drop, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i infoRow
		var id []byte
		if i.Info, err = scanInfo(rows, &i.seq, &id); err != nil {
			return err
		}
		if i.body, err = bodyID(id); err != nil {
			return err
		}
		if err := fn(&i); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Undelete brings back what Deleted lists.
func (s *Store) Undelete(ctx context.Context, id mailstore.DropID, since time.Time) (int, error) {
	if err := checkID(id); err != nil {
		return 0, err
	}
	back := 0
	err := s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		back = 0
		row, err := readDrop(ctx, tx, int64(id))
		if err != nil {
			return err
		}
		deletions, err := readDeletions(ctx, tx, int64(id), sqlDeletions, int64(id), sinceNanos(since))
		if err != nil || len(deletions) == 0 {
			return err
		}
		row.revision++
		for i := range deletions {
			if err := row.restore(ctx, tx, &deletions[i]); err != nil {
				return err
			}
			back += deletions[i].seqs.count()
		}
		return row.write(ctx, tx, int64(id))
	})
	if err != nil {
		return 0, fault("undelete messages", err)
	}
	return back, nil
}

// restore takes a deletion back and counts it in row, which the caller writes.
func (row *dropRow) restore(ctx context.Context, tx catalog.Tx, d *deletionRow) error {
	octets, err := sumOctets(ctx, tx, d.drop, d.chunk, d.seqs)
	if err != nil {
		return err
	}
	packed, tail := row.split(d.chunk, d.seqs)
	if !packed.empty() {
		c, err := readChunk(ctx, tx, d.drop, d.chunk)
		if err != nil {
			return err
		}
		c.live = c.live.union(packed)
		if err := writeChunk(ctx, tx, d.drop, &c); err != nil {
			return err
		}
	}
	row.eachTail(d.chunk, tail, func(_, rel int) { row.tailDeleted.remove(rel) })
	row.count(int64(d.seqs.count()), octets)
	_, err = tx.Exec(ctx, sqlDeleteDeletion, d.drop, d.revision, d.chunk)
	return err
}
