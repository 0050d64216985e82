package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// listing compares what is derived of a maildrop with the rows, in one snapshot, and builds it anew if asked to.
func (c *checker) listing(ctx context.Context, drop int64) error {
	var details []string
	err := c.store.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		details, err = compareListing(ctx, tx, drop)
		return err
	})
	if err != nil || len(details) == 0 {
		return err
	}
	repaired := false
	if c.opt.Repair {
		err := c.store.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error { return rebuild(ctx, tx, drop) })
		if err != nil && !errors.Is(err, errSet) {
			return err
		}
		c.store.cache.drop(drop)
		repaired = err == nil
	}
	for _, detail := range details {
		c.problem(mailstore.Problem{
			Kind: mailstore.ProblemListingWrong, Drop: mailstore.DropID(drop), Detail: detail, Repaired: repaired,
		})
	}
	return nil
}

// A truth is what the rows of a maildrop say.
type truth struct {
	chunks []*truthChunk
	last   int64 // highest sequence number, -1 if there are no messages
	counts dropRow
}

// A truthChunk is what the rows of one chunk say.
type truthChunk struct {
	rows *segment // all messages, deleted ones included
	dead set      // what the deletions say
}

func (t *truth) chunk(k int64) *truthChunk {
	if n := len(t.chunks); n > 0 && t.chunks[n-1].rows.chunk == k {
		return t.chunks[n-1]
	}
	c := &truthChunk{rows: &segment{chunk: k, packed: true}}
	t.chunks = append(t.chunks, c)
	return c
}

func readTruth(ctx context.Context, tx catalog.Tx, drop int64) (*truth, error) {
	t := &truth{last: -1}
	if err := tx.QueryRow(ctx, sqlLastMessage, drop).Scan(&t.last); err != nil {
		return nil, err
	}
	deletions, err := readDeletions(ctx, tx, drop, sqlAllDeletions, drop)
	if err != nil {
		return nil, err
	}
	dead := make(map[int64]set)
	for _, d := range deletions {
		dead[d.chunk] = dead[d.chunk].union(d.seqs)
	}
	err = eachMessage(ctx, tx, drop, 0, t.last+1, func(m *message) error {
		k := m.seq / chunkSize
		c := t.chunk(k)
		c.dead = dead[k]
		c.rows.add(m)
		if c.dead.has(int(m.seq % chunkSize)) {
			t.counts.deletedMessages++
			t.counts.deletedOctets += m.octets
		} else {
			t.counts.messages++
			t.counts.octets += m.octets
		}
		return nil
	})
	return t, err
}

// maxDetails bounds what is said of one maildrop.
const maxDetails = 10

func compareListing(ctx context.Context, tx catalog.Tx, drop int64) (details []string, err error) {
	t, err := readTruth(ctx, tx, drop)
	if errors.Is(err, errSet) {
		return []string{"the rows of its deletions cannot be read"}, nil
	}
	if err != nil {
		return nil, err
	}
	row, err := readDrop(ctx, tx, drop)
	if errors.Is(err, errSet) {
		return []string{"what its row says of deleted messages cannot be read"}, nil
	}
	if err != nil {
		return nil, err
	}
	say := func(format string, args ...any) {
		if len(details) < maxDetails {
			details = append(details, fmt.Sprintf(format, args...))
		}
	}
	n := &t.counts
	if row.messages != n.messages || row.octets != n.octets {
		say("it is said to have %d messages of %d octets, and has %d of %d", row.messages, row.octets, n.messages, n.octets)
	}
	if row.deletedMessages != n.deletedMessages || row.deletedOctets != n.deletedOctets {
		say("it is said to have %d deleted messages of %d octets, and has %d of %d",
			row.deletedMessages, row.deletedOctets, n.deletedMessages, n.deletedOctets)
	}
	if row.nextSeq <= t.last || row.packedTo > row.nextSeq || row.nextSeq-row.packedTo > chunkSize {
		say("its next message would be number %d, after %d, and %d are said to be packed", row.nextSeq, t.last, row.packedTo)
		return details, nil
	}
	stored, err := readChunks(ctx, tx, sqlAllChunks, drop)
	if err != nil {
		say("its chunks cannot be read: %v", err)
		return details, nil
	}
	live := make(map[int64]set, len(stored))
	for _, c := range stored {
		live[c.chunk] = c.live
	}
	for _, c := range t.chunks {
		detail, err := c.compare(ctx, tx, drop, &row, live[c.rows.chunk])
		if err != nil {
			return nil, err
		}
		if detail != "" {
			say("chunk %d: %s", c.rows.chunk, detail)
		}
		delete(live, c.rows.chunk)
	}
	for k, l := range live {
		if !l.empty() {
			say("chunk %d: it is said to have %d messages, and there are none", k, l.count())
		}
	}
	return details, nil
}

// compare says what is wrong with a chunk.
func (c *truthChunk) compare(ctx context.Context, tx catalog.Tx, drop int64, row *dropRow, live set) (string, error) {
	packed, tail := row.split(c.rows.chunk, c.rows.seqs)
	if want := packed.minus(c.dead); live != want {
		return fmt.Sprintf("it is said to have %d messages, and has %d, or others", live.count(), want.count()), nil
	}
	wrong := 0
	row.eachTail(c.rows.chunk, tail, func(n, rel int) {
		if row.tailDeleted.has(rel) != c.dead.has(n) {
			wrong++
		}
	})
	if wrong > 0 {
		return fmt.Sprintf("of its messages that are not packed yet %d are wrongly said to be deleted or not", wrong), nil
	}
	if packed.empty() {
		return "", nil
	}
	g, err := readPack(ctx, tx, drop, c.rows.chunk, &packed)
	if isPackError(err) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	rows := c.rows.keep(packed)
	for i := range rows.records {
		if have, want := g.message(i), rows.message(i); have != want {
			return fmt.Sprintf("its packed listing says %+v, the row %+v", have, want), nil
		}
	}
	return "", nil
}

// rebuild derives everything of a maildrop anew from the rows.
func rebuild(ctx context.Context, tx catalog.Tx, drop int64) error {
	t, err := readTruth(ctx, tx, drop)
	if err != nil {
		return err
	}
	var row dropRow
	var tail []byte
	var messages, octets, deletedMessages, deletedOctets, removed int64
	err = tx.QueryRow(ctx, sqlDrop, drop).Scan(&row.revision, &row.nextSeq, &row.packedTo, &tail, &messages, &octets,
		&deletedMessages, &deletedOctets, &removed)
	if err != nil || removed != 0 {
		return err
	}
	editions, err := readEditions(ctx, tx, drop)
	if err != nil {
		return err
	}
	for k := range editions {
		if _, err := tx.Exec(ctx, sqlDeleteChunk, drop, k); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlDeletePack, drop, k); err != nil {
			return err
		}
	}
	for _, c := range t.chunks {
		k := c.rows.chunk
		fresh := chunkRow{chunk: k, edition: editions[k] + 1, live: c.rows.seqs.minus(c.dead)}
		if err := writeChunk(ctx, tx, drop, &fresh); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlSetPack, drop, k, c.rows.encode(drop)); err != nil {
			return err
		}
	}
	t.counts.revision = row.revision + 1
	t.counts.nextSeq = max(row.nextSeq, t.last+1)
	t.counts.packedTo = t.counts.nextSeq
	if _, err := tx.Exec(ctx, sqlSetNextSeq, t.counts.nextSeq, drop); err != nil {
		return err
	}
	return t.counts.write(ctx, tx, drop)
}

// readEditions reads the chunks' editions and nothing that may be damaged.
func readEditions(ctx context.Context, tx catalog.Tx, drop int64) (map[int64]int64, error) {
	rows, err := tx.Query(ctx, sqlEditions, drop)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	editions := make(map[int64]int64)
	for rows.Next() {
		var k, edition int64
		if err := rows.Scan(&k, &edition); err != nil {
			return nil, err
		}
		editions[k] = edition
	}
	return editions, rows.Err()
}

// repairFacts sets right what can be computed from a body that is sound.
func (s *Store) repairFacts(ctx context.Context, drop, seq int64, facts *body.Facts) error {
	err := s.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		if _, err := tx.Exec(ctx, sqlSetFacts, facts.Header, facts.Wire, drop, seq); err != nil {
			return err
		}
		row, err := readDrop(ctx, tx, drop)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlBumpDrop, drop); err != nil || seq >= row.packedTo {
			return err
		}
		chunk := seq / chunkSize
		c, err := readChunk(ctx, tx, drop, chunk)
		if err != nil {
			return err
		}
		c.edition++
		if err := writeChunk(ctx, tx, drop, &c); err != nil {
			return err
		}
		g, err := packFromRows(ctx, tx, drop, chunk, row.packedTo)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sqlSetPack, drop, chunk, g.encode(drop))
		return err
	})
	return err
}
