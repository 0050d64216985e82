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

// A listing is what one revision of a maildrop holds. It is immutable and shared by sessions.
type listing struct {
	drop     int64
	revision int64
	octets   int64
	segments []*segment // none is empty
	starts   []int      // index of each segment's first message, and at the end the number of messages
}

func (l *listing) len() int { return l.starts[len(l.segments)] }

func (l *listing) size() int64 {
	n := int64(0)
	for _, g := range l.segments {
		n += g.size()
	}
	return n
}

// A dropRow is a row of drops.
type dropRow struct {
	revision, nextSeq, packedTo    int64
	tailDeleted                    set // relative to packedTo
	messages, octets               int64
	deletedMessages, deletedOctets int64
}

// readDrop reads the row of a maildrop; one without a row is empty.
func readDrop(ctx context.Context, tx catalog.Tx, id int64) (d dropRow, err error) {
	var tail []byte
	var removed int64
	err = tx.QueryRow(ctx, sqlDrop, id).Scan(&d.revision, &d.nextSeq, &d.packedTo, &tail, &d.messages, &d.octets,
		&d.deletedMessages, &d.deletedOctets, &removed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return dropRow{}, nil
	case err != nil:
		return dropRow{}, err
	case removed != 0:
		return dropRow{}, mailstore.ErrRemoved
	}
	d.tailDeleted, err = decodeSet(tail)
	return d, err
}

// readRevision is the part of readDrop that tells whether a listing is still true.
func readRevision(ctx context.Context, tx catalog.Tx, id int64) (revision int64, err error) {
	var removed int64
	err = tx.QueryRow(ctx, sqlRevision, id).Scan(&revision, &removed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case removed != 0:
		return 0, mailstore.ErrRemoved
	}
	return revision, err
}

func (d *dropRow) write(ctx context.Context, tx catalog.Tx, id int64) error {
	_, err := tx.Exec(ctx, sqlSetDrop, d.revision, d.packedTo, d.tailDeleted.encode(), d.messages, d.octets,
		d.deletedMessages, d.deletedOctets, id)
	return err
}

// listing returns the current listing of a maildrop: from the cache, or from packs and rows, taking over what is still
// true of an older one.
func (s *Store) listing(ctx context.Context, id int64) (*listing, error) {
	old := s.cache.get(id)
	if old != nil {
		// The usual case is that of a client that polls: one query for two columns, for the driver's work grows with them.
		var revision int64
		err := s.cat.ReadOne(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
			revision, err = readRevision(ctx, tx, id)
			return err
		})
		if err != nil || revision == old.revision {
			return old, err
		}
	}
	var l *listing
	err := s.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		d, err := readDrop(ctx, tx, id)
		if err == nil {
			l, err = loadListing(ctx, tx, id, &d, old)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.cache.put(l)
	return l, nil
}

func loadListing(ctx context.Context, tx catalog.Tx, id int64, d *dropRow, old *listing) (*listing, error) {
	l := &listing{drop: id, revision: d.revision}
	if d.messages > 0 {
		if d.packedTo > 0 {
			if err := l.loadPacked(ctx, tx, old); err != nil {
				return nil, err
			}
		}
		if err := l.loadTail(ctx, tx, d); err != nil {
			return nil, err
		}
	}
	l.starts = make([]int, len(l.segments)+1)
	for i, g := range l.segments {
		l.starts[i+1] = l.starts[i] + len(g.records)
		l.octets += g.octets
	}
	return l, nil
}

// A chunkRow is a row of chunks.
type chunkRow struct {
	chunk, edition int64
	live           set
}

func (l *listing) loadPacked(ctx context.Context, tx catalog.Tx, old *listing) error {
	chunks, err := readChunks(ctx, tx, sqlLiveChunks, l.drop)
	if err != nil {
		return err
	}
	l.segments = make([]*segment, 0, len(chunks)+2)
	var known []*segment
	if old != nil {
		known = old.segments
	}
	for i := range chunks {
		c := &chunks[i]
		for len(known) > 0 && (known[0].chunk < c.chunk || !known[0].packed) {
			known = known[1:]
		}
		var g *segment
		if len(known) > 0 && known[0].chunk == c.chunk && known[0].edition == c.edition && known[0].seqs.contains(c.live) {
			g = known[0]
			if g.seqs != c.live {
				g = g.keep(c.live)
			}
		} else if g, err = readSegment(ctx, tx, l.drop, c); err != nil {
			return err
		}
		if len(g.records) > 0 {
			l.segments = append(l.segments, g)
		}
	}
	return nil
}

func readChunks(ctx context.Context, tx catalog.Tx, query string, drop int64) ([]chunkRow, error) {
	rows, err := tx.Query(ctx, query, drop)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var chunks []chunkRow
	for rows.Next() {
		var c chunkRow
		var live sql.RawBytes
		if err := rows.Scan(&c.chunk, &c.edition, &live); err != nil {
			return nil, err
		}
		if c.live, err = decodeSet(live); err != nil {
			return nil, fmt.Errorf("chunk %d of maildrop %d: %w", c.chunk, drop, err)
		}
		chunks = append(chunks, c)
	}
	return chunks, rows.Err()
}

// readSegment reads the live messages of a chunk from its pack, or from the rows if the pack is not good.
func readSegment(ctx context.Context, tx catalog.Tx, drop int64, c *chunkRow) (*segment, error) {
	g, err := readPack(ctx, tx, drop, c.chunk, &c.live)
	if isPackError(err) {
		first := c.chunk * chunkSize
		g = &segment{chunk: c.chunk, packed: true}
		err = eachMessage(ctx, tx, drop, first, first+chunkSize, func(m *message) error {
			if c.live.has(int(m.seq - first)) {
				g.add(m)
			}
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	g.edition = c.edition
	return g, nil
}

// readPack reads a pack and keeps the messages in live, nil for all.
func readPack(ctx context.Context, tx catalog.Tx, drop, chunk int64, live *set) (*segment, error) {
	rows, err := tx.Query(ctx, sqlPack, drop, chunk)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, errPackMissing
	}
	var data sql.RawBytes
	if err := rows.Scan(&data); err != nil {
		return nil, err
	}
	return decodeSegment(data, drop, chunk, live)
}

var errPackMissing = errors.New("a packed listing is missing")

func isPackError(err error) bool {
	return errors.Is(err, errPack) || errors.Is(err, errPackSum) || errors.Is(err, errPackOld) || errors.Is(err, errPackMissing)
}

// loadTail reads the messages that are not packed yet: few, see packEvery.
func (l *listing) loadTail(ctx context.Context, tx catalog.Tx, d *dropRow) error {
	first := 0 // relative to packedTo: clients delete the oldest first, so most of the dead are skipped unread
	for n := int(d.nextSeq - d.packedTo); first < n && d.tailDeleted.has(first); {
		first++
	}
	if d.packedTo+int64(first) == d.nextSeq {
		return nil
	}
	left := int(d.nextSeq-d.packedTo) - d.tailDeleted.count()
	var g *segment
	return eachMessage(ctx, tx, l.drop, d.packedTo+int64(first), d.nextSeq, func(m *message) error {
		if d.tailDeleted.has(int(m.seq - d.packedTo)) {
			return nil
		}
		if g == nil || g.chunk != m.seq/chunkSize {
			// Room for what is left and no more: the listing stays as long as the session and longer.
			g = &segment{chunk: m.seq / chunkSize, records: make([]record, 0, max(0, min(left, packEvery)))}
			l.segments = append(l.segments, g)
		}
		left--
		g.add(m)
		return nil
	})
}

// eachMessage calls fn for the rows of a maildrop from seq first up to, without, last. fn must not keep m.
func eachMessage(ctx context.Context, tx catalog.Tx, drop, first, last int64, fn func(*message) error) error {
	rows, err := tx.Query(ctx, sqlListMessages, drop, first, last)
	if err != nil {
		return err
	}
	defer rows.Close()
	var m message
	var id sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&m.seq, &m.uid, &id, &m.octets, &m.header, &m.wire); err != nil {
			return err
		}
		if m.body, err = bodyID(id); err != nil {
			return fmt.Errorf("message %s of maildrop %d: %w", m.uid, drop, err)
		}
		if err := fn(&m); err != nil {
			return err
		}
	}
	return rows.Err()
}

func bodyID(p []byte) (id body.ID, err error) {
	if len(p) != len(id) {
		return id, fmt.Errorf("its body's id has %d octets, not %d", len(p), len(id))
	}
	copy(id[:], p)
	return id, nil
}
