package sqlstore

import (
	"encoding/binary"
	"errors"
	"iter"
	"math/bits"
)

// chunkSize is how many sequence numbers a chunk covers: chunk k has those from k*chunkSize on.
const chunkSize = 1024

// A set is a set of numbers below chunkSize.
type set [chunkSize / 64]uint64

func (s *set) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *set) remove(n int)   { s[n/64] &^= 1 << (n % 64) }
func (s *set) has(n int) bool { return s[n/64]&(1<<(n%64)) != 0 }
func (s set) empty() bool     { return s == set{} }

func (s *set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// all yields the members, ascending.
func (s *set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

func (s set) union(t set) set {
	for i := range s {
		s[i] |= t[i]
	}
	return s
}

func (s set) intersect(t set) set {
	for i := range s {
		s[i] &= t[i]
	}
	return s
}

func (s set) minus(t set) set {
	for i := range s {
		s[i] &^= t[i]
	}
	return s
}

func (s set) contains(t set) bool { return t.minus(s) == set{} }

// setSize is the size of a set stored as a bitmap.
const setSize = chunkSize / 8

// encode returns the stored form: up to 63 members as two octets each, ascending; more as a bitmap of 128 octets. All
// numbers are little-endian. Most deletions are of a few messages, and a row for each stays for weeks.
func (s *set) encode() []byte {
	if s.count() < setSize/2 {
		p := make([]byte, 0, setSize)
		for n := range s.all() {
			p = binary.LittleEndian.AppendUint16(p, uint16(n))
		}
		return p
	}
	return s.appendBitmap(nil)
}

func (s *set) appendBitmap(dst []byte) []byte {
	for _, w := range s {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

var errSet = errors.New("a set of messages is not in its form")

func decodeSet(p []byte) (set, error) {
	if len(p) == setSize {
		return decodeBitmap(p), nil
	}
	var s set
	if len(p) > setSize || len(p)%2 != 0 {
		return s, errSet
	}
	last := -1
	for ; len(p) > 0; p = p[2:] {
		n := int(binary.LittleEndian.Uint16(p))
		if n <= last || n >= chunkSize {
			return set{}, errSet
		}
		s.add(n)
		last = n
	}
	return s, nil
}

func decodeBitmap(p []byte) (s set) {
	for i := range s {
		s[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return s
}
