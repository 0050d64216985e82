package sqlstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
)

// A segment is an immutable run of records in memory: the live messages of one chunk, packed or tail.
type segment struct {
	chunk   int64
	edition int64
	seqs    set // of the records, in their order
	records []record
	extras  []byte
	octets  int64
	packed  bool
}

// The form of a pack:
//
//	0  octet   version, 1
//	1  octet   0
//	2  uint16  number of records
//	4  uint32  octets of extras
//	8  bitmap  128 octets: seq % 1024 of each record
//	   records 40 octets each, ascending by seq: unique-id 16, body 16, facts uint64
//	   extras
//	   uint32  CRC-32C of all before, after the maildrop's id and the chunk's number, 8 octets each
//
// All numbers are little-endian.
const (
	packVersion = 1
	packHeader  = 8 + setSize
	packTrailer = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packSum binds a pack to its place, so that one that lies in another's is noticed.
func packSum(p []byte, drop, chunk int64) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:8], uint64(drop))
	binary.LittleEndian.PutUint64(place[8:], uint64(chunk))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, p)
}

// encode returns the segment as a pack.
func (g *segment) encode(drop int64) []byte {
	p := make([]byte, 0, packHeader+len(g.records)*recordSize+len(g.extras)+packTrailer)
	p = append(p, packVersion, 0)
	p = binary.LittleEndian.AppendUint16(p, uint16(len(g.records)))
	p = binary.LittleEndian.AppendUint32(p, uint32(len(g.extras)))
	p = g.seqs.appendBitmap(p)
	for i := range g.records {
		r := &g.records[i]
		p = append(p, r.uid[:]...)
		p = append(p, r.body[:]...)
		p = binary.LittleEndian.AppendUint64(p, r.facts)
	}
	p = append(p, g.extras...)
	return binary.LittleEndian.AppendUint32(p, packSum(p, drop, g.chunk))
}

var (
	errPack    = errors.New("a packed listing is not in its form")
	errPackSum = errors.New("a packed listing has a wrong checksum")
	errPackOld = errors.New("a packed listing lacks a message")
)

// decodeSegment reads a pack and keeps the records in live, which must all be there; nil keeps all. It retains nothing
// of p.
func decodeSegment(p []byte, drop, chunk int64, live *set) (*segment, error) {
	if len(p) < packHeader+packTrailer || p[0] != packVersion || p[1] != 0 {
		return nil, errPack
	}
	n, x := int(binary.LittleEndian.Uint16(p[2:])), int64(binary.LittleEndian.Uint32(p[4:]))
	if int64(len(p)) != int64(packHeader+n*recordSize+packTrailer)+x {
		return nil, errPack
	}
	data, sum := p[:len(p)-packTrailer], p[len(p)-packTrailer:]
	if packSum(data, drop, chunk) != binary.LittleEndian.Uint32(sum) {
		return nil, errPackSum
	}
	stored := decodeBitmap(p[8:])
	if stored.count() != n {
		return nil, errPack
	}
	if live == nil {
		live = &stored
	} else if !stored.contains(*live) {
		return nil, errPackOld
	}
	g := &segment{chunk: chunk, seqs: *live, records: make([]record, 0, live.count()), packed: true}
	if x > 0 {
		g.extras = append([]byte(nil), data[packHeader+n*recordSize:]...)
	}
	at := packHeader
	for w := range stored {
		for left := stored[w]; left != 0; left &= left - 1 {
			if live[w]&left&-left != 0 {
				var r record
				copy(r.uid[:], data[at:])
				copy(r.body[:], data[at+16:])
				r.facts = binary.LittleEndian.Uint64(data[at+32:])
				if !r.check(g.extras) {
					return nil, errPack
				}
				g.octets += r.octets(g.extras)
				g.records = append(g.records, r)
			}
			at += recordSize
		}
	}
	return g, nil
}

// add appends a message with a higher seq than all before.
func (g *segment) add(m *message) {
	var r record
	r, g.extras = makeRecord(m, g.extras)
	g.records = append(g.records, r)
	g.seqs.add(int(m.seq % chunkSize))
	g.octets += m.octets
}

// keep returns the segment with the records in live only, which must be a subset.
func (g *segment) keep(live set) *segment {
	h := &segment{
		chunk: g.chunk, edition: g.edition, seqs: live, packed: g.packed, extras: g.extras,
		records: make([]record, 0, live.count()),
	}
	i := 0
	for n := range g.seqs.all() {
		if live.has(n) {
			h.records = append(h.records, g.records[i])
			h.octets += g.records[i].octets(g.extras)
		}
		i++
	}
	return h
}

// seq returns the sequence number of record i.
func (g *segment) seq(i int) int64 {
	for w, word := range g.seqs {
		c := bits.OnesCount64(word)
		if i >= c {
			i -= c
			continue
		}
		for ; i > 0; i-- {
			word &= word - 1
		}
		return g.chunk*chunkSize + int64(w*64+bits.TrailingZeros64(word))
	}
	return -1 // not reached: i is below the number of records
}

// size is the memory the segment takes, in octets.
func (g *segment) size() int64 { return int64(len(g.records)*recordSize + cap(g.extras) + 256) }
