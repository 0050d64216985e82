package sqlstore

import (
	"encoding/binary"
	"math"

	"github.com/postamt/postamt/internal/body"
)

// A record is one message in a packed listing: 40 octets, in memory and on disk. Nearly every message fits: a unique-id
// of ours, less than 1 TiB, a header of less than 8 MiB. The rest of what does not fit is an extra.
type record struct {
	uid  rawUID // or, for an extra, its place among the extras in the first 4 octets, little-endian
	body body.ID
	// facts has, from the top: 40 bits of octets, 23 bits of header octets, 1 bit of "wire".
	facts uint64
}

const (
	recordSize = 40
	extraSize  = 1<<40 - 1 // in the place of the octets, marks an extra
	maxHeader  = 1<<23 - 1
	headerBits = 23
)

// A message is what a listing knows of one message, unpacked.
type message struct {
	seq    int64
	uid    string
	body   body.ID
	octets int64
	header int64
	wire   bool
}

// makeRecord packs m. What does not fit goes to the end of extras.
func makeRecord(m *message, extras []byte) (record, []byte) {
	r := record{body: m.body}
	if m.wire {
		r.facts = 1
	}
	uid, ours := parseUID(m.uid)
	if ours && m.octets < extraSize && m.header <= maxHeader {
		r.uid = uid
		r.facts |= uint64(m.octets)<<(headerBits+1) | uint64(m.header)<<1
		return r, extras
	}
	r.facts |= extraSize << (headerBits + 1)
	binary.LittleEndian.PutUint32(r.uid[:], uint32(len(extras)))
	extras = binary.LittleEndian.AppendUint64(extras, uint64(m.octets))
	extras = binary.LittleEndian.AppendUint64(extras, uint64(m.header))
	extras = append(extras, byte(len(m.uid)))
	return r, append(extras, m.uid...)
}

// An extra is 8 octets of size, 8 of header, 1 for the length of the unique-id, and the unique-id.
const extraFixed = 17

func (r *record) isExtra() bool { return r.facts>>(headerBits+1) == extraSize }
func (r *record) wire() bool    { return r.facts&1 != 0 }

// extra returns the extra's octets from its place on.
func (r *record) extra(extras []byte) []byte {
	return extras[binary.LittleEndian.Uint32(r.uid[:]):]
}

func (r *record) octets(extras []byte) int64 {
	if r.isExtra() {
		return int64(binary.LittleEndian.Uint64(r.extra(extras)))
	}
	return int64(r.facts >> (headerBits + 1))
}

func (r *record) header(extras []byte) int64 {
	if r.isExtra() {
		return int64(binary.LittleEndian.Uint64(r.extra(extras)[8:]))
	}
	return int64(r.facts >> 1 & maxHeader)
}

func (r *record) appendUID(dst, extras []byte) []byte {
	if r.isExtra() {
		x := r.extra(extras)
		return append(dst, x[extraFixed:extraFixed+int(x[extraFixed-1])]...)
	}
	return appendUID(dst, &r.uid)
}

// check says whether a record read from disk makes sense, so that the methods above cannot fail.
func (r *record) check(extras []byte) bool {
	if !r.isExtra() {
		return true
	}
	at := int64(binary.LittleEndian.Uint32(r.uid[:]))
	if at+extraFixed > int64(len(extras)) {
		return false
	}
	x := extras[at:]
	return binary.LittleEndian.Uint64(x) <= math.MaxInt64 && binary.LittleEndian.Uint64(x[8:]) <= math.MaxInt64 &&
		extraFixed+int(x[extraFixed-1]) <= len(x) && checkUID(string(x[extraFixed:extraFixed+int(x[extraFixed-1])])) == nil
}
