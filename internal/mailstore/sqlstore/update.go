package sqlstore

import (
	"context"
	"fmt"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// Update deletes messages. What it writes grows with the chunks that are touched, not with the messages: a row and a
// set for each. Retrieved is not recorded yet: nothing asks for it before there are views and dispositions.
func (d *drop) Update(ctx context.Context, u mailstore.Update) error {
	if d.shared {
		return mailstore.ErrReadOnly
	}
	parts, err := d.parts(u.Deleted)
	if err != nil || len(parts) == 0 {
		return err
	}
	now := d.store.now()
	err = d.store.cat.Write(ctx, func(ctx context.Context, tx catalog.Tx) error {
		row, err := readDrop(ctx, tx, d.id)
		if err != nil {
			return err
		}
		row.revision++
		for i := range parts {
			if err := row.remove(ctx, tx, d.id, &parts[i], now); err != nil {
				return err
			}
		}
		return row.write(ctx, tx, d.id)
	})
	return fault("delete messages", err)
}

// A part is what an update deletes of one chunk.
type part struct {
	chunk  int64
	seqs   set
	octets int64
}

// parts sorts message indexes, which must ascend, by chunk.
func (d *drop) parts(deleted []int) ([]part, error) {
	var parts []part
	last := -1
	var g *segment
	var seqs []int64 // of g's messages
	for _, i := range deleted {
		if i <= last || i >= d.list.len() {
			return nil, fmt.Errorf("sqlstore: message %d after %d is not one of %d in ascending order", i, last, d.list.len())
		}
		last = i
		h, j := d.find(i)
		if h != g {
			g, seqs = h, h.appendSeqs(seqs[:0])
			if len(parts) == 0 || parts[len(parts)-1].chunk != g.chunk { // a chunk's tail follows its packed part
				parts = append(parts, part{chunk: g.chunk})
			}
		}
		p := &parts[len(parts)-1]
		p.seqs.add(int(seqs[j] % chunkSize))
		p.octets += g.records[j].octets(g.extras)
	}
	return parts, nil
}

// appendSeqs appends the sequence numbers of all records.
func (g *segment) appendSeqs(dst []int64) []int64 {
	for n := range g.seqs.all() {
		dst = append(dst, g.chunk*chunkSize+int64(n))
	}
	return dst
}

// remove deletes a part and counts it in row, which the caller writes.
func (row *dropRow) remove(ctx context.Context, tx catalog.Tx, drop int64, p *part, now int64) error {
	seqs, octets := p.seqs, p.octets
	packed, tail := row.split(p.chunk, seqs)
	var c chunkRow
	var err error
	if !packed.empty() {
		if c, err = readChunk(ctx, tx, drop, p.chunk); err != nil {
			return err
		}
		packed = packed.intersect(c.live)
	}
	row.eachTail(p.chunk, tail, func(n, rel int) {
		if row.tailDeleted.has(rel) {
			tail.remove(n)
		}
	})
	if both := packed.union(tail); both != seqs {
		// Somebody without the lock was quicker. What they deleted is theirs.
		seqs = both
		if octets, err = sumOctets(ctx, tx, drop, p.chunk, seqs); err != nil {
			return err
		}
	}
	if seqs.empty() {
		return nil
	}
	if !packed.empty() {
		c.live = c.live.minus(packed)
		if err := writeChunk(ctx, tx, drop, &c); err != nil {
			return err
		}
	}
	row.eachTail(p.chunk, tail, func(_, rel int) { row.tailDeleted.add(rel) })
	row.count(-int64(seqs.count()), -octets)
	_, err = tx.Exec(ctx, sqlInsertDeletion, drop, row.revision, p.chunk, now, seqs.encode())
	return err
}

// count moves messages from deleted to live, or back if negative.
func (row *dropRow) count(messages, octets int64) {
	row.messages += messages
	row.octets += octets
	row.deletedMessages -= messages
	row.deletedOctets -= octets
}

// split divides the messages of a chunk into those that are packed and those in the tail.
func (row *dropRow) split(chunk int64, seqs set) (packed, tail set) {
	switch at := row.packedTo - chunk*chunkSize; {
	case at <= 0:
		return set{}, seqs
	case at >= chunkSize:
		return seqs, set{}
	default:
		below := firstOf(int(at))
		return seqs.intersect(below), seqs.minus(below)
	}
}

// firstOf returns the set of the numbers below n.
func firstOf(n int) (s set) {
	for i := range s {
		switch {
		case n >= 64*(i+1):
			s[i] = ^uint64(0)
		case n > 64*i:
			s[i] = 1<<(n-64*i) - 1
		}
	}
	return s
}

// eachTail calls fn for members of a chunk's set that are in the tail: with the member, and its place in the tail.
func (row *dropRow) eachTail(chunk int64, tail set, fn func(n, rel int)) {
	for n := range tail.all() {
		fn(n, int(chunk*chunkSize+int64(n)-row.packedTo))
	}
}

func sumOctets(ctx context.Context, tx catalog.Tx, drop, chunk int64, seqs set) (sum int64, err error) {
	for n := range seqs.all() {
		var octets int64
		if err := tx.QueryRow(ctx, sqlOctets, drop, chunk*chunkSize+int64(n)).Scan(&octets); err != nil {
			return 0, err
		}
		sum += octets
	}
	return sum, nil
}
