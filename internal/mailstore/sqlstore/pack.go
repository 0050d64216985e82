package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/postamt/postamt/internal/catalog"
)

// packTail moves the tail of a maildrop, messages packedTo up to next, into packs. It changes nothing a session sees.
func packTail(ctx context.Context, tx catalog.Tx, drop, packedTo, next int64, deleted *set) error {
	var chunks []*tailChunk
	err := eachMessage(ctx, tx, drop, packedTo, next, func(m *message) error {
		k := m.seq / chunkSize
		if len(chunks) == 0 || chunks[len(chunks)-1].seg.chunk != k {
			chunks = append(chunks, &tailChunk{seg: &segment{chunk: k}})
		}
		c := chunks[len(chunks)-1]
		c.seg.add(m)
		if !deleted.has(int(m.seq - packedTo)) {
			c.live.add(int(m.seq % chunkSize))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := c.append(ctx, tx, drop, packedTo); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, sqlSetPackedTo, next, []byte{}, drop)
	return err
}

// A tailChunk is the part of a tail that falls into one chunk.
type tailChunk struct {
	seg  *segment
	live set
}

// append adds the messages to the chunk's pack. Its rows up to packedTo are in the pack already, if it has any.
func (c *tailChunk) append(ctx context.Context, tx catalog.Tx, drop, packedTo int64) error {
	row, err := readChunk(ctx, tx, drop, c.seg.chunk)
	if err != nil {
		return err
	}
	if packedTo > c.seg.chunk*chunkSize {
		before, err := readPack(ctx, tx, drop, c.seg.chunk, nil)
		switch {
		case err == nil && before.seqs.intersect(c.seg.seqs).empty():
			for i := range c.seg.records {
				m := c.seg.message(i)
				before.add(&m)
			}
			c.seg = before
		case err == nil, isPackError(err):
			// Damaged or gone (or all that was in it is swept): the rows are the truth.
			if c.seg, err = packFromRows(ctx, tx, drop, c.seg.chunk, (c.seg.chunk+1)*chunkSize); err != nil {
				return err
			}
		default:
			return err
		}
	}
	row.live = row.live.union(c.live)
	if err := writeChunk(ctx, tx, drop, &row); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, sqlSetPack, drop, c.seg.chunk, c.seg.encode(drop))
	return err
}

// packFromRows returns a segment of all rows of a chunk below last, deleted ones included.
func packFromRows(ctx context.Context, tx catalog.Tx, drop, chunk, last int64) (*segment, error) {
	first := chunk * chunkSize
	g := &segment{chunk: chunk, packed: true}
	return g, eachMessage(ctx, tx, drop, first, min(first+chunkSize, last), func(m *message) error {
		g.add(m)
		return nil
	})
}

// readChunk reads the row of a chunk; one without a row has nothing live.
func readChunk(ctx context.Context, tx catalog.Tx, drop, chunk int64) (chunkRow, error) {
	c := chunkRow{chunk: chunk}
	var live []byte
	err := tx.QueryRow(ctx, sqlChunk, drop, chunk).Scan(&c.edition, &live)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.live, err = decodeSet(live)
	return c, err
}

func writeChunk(ctx context.Context, tx catalog.Tx, drop int64, c *chunkRow) error {
	_, err := tx.Exec(ctx, sqlSetChunk, drop, c.chunk, c.edition, c.live.count(), c.live.encode())
	return err
}

// message unpacks record i.
func (g *segment) message(i int) message {
	r := &g.records[i]
	return message{
		seq: g.seq(i), uid: string(r.appendUID(nil, g.extras)), body: r.body,
		octets: r.octets(g.extras), header: r.header(g.extras), wire: r.wire(),
	}
}
