package sqlstore

import (
	"encoding/binary"
	"fmt"
)

// A rawUID is a unique-id of 128 bits. It is shown in the base 32 of RFC 4648 §7 in lower case, without padding: no two
// of them differ in case only, and clients that fold case do no harm.
type rawUID [16]byte

const (
	uidDigits = "0123456789abcdefghijklmnopqrstuv"
	// uidLen is the length of a rawUID as shown: 128 bits in digits of 5, and 2 zero bits.
	uidLen = 26
	// maxUID is what RFC 1939 §7 allows.
	maxUID = 70
)

// appendUID appends u as shown. It does not allocate if dst has room.
func appendUID(dst []byte, u *rawUID) []byte {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	return append(dst,
		uidDigits[hi>>59], uidDigits[hi>>54&31], uidDigits[hi>>49&31], uidDigits[hi>>44&31],
		uidDigits[hi>>39&31], uidDigits[hi>>34&31], uidDigits[hi>>29&31], uidDigits[hi>>24&31],
		uidDigits[hi>>19&31], uidDigits[hi>>14&31], uidDigits[hi>>9&31], uidDigits[hi>>4&31],
		uidDigits[hi<<1&31|lo>>63], uidDigits[lo>>58&31], uidDigits[lo>>53&31], uidDigits[lo>>48&31],
		uidDigits[lo>>43&31], uidDigits[lo>>38&31], uidDigits[lo>>33&31], uidDigits[lo>>28&31],
		uidDigits[lo>>23&31], uidDigits[lo>>18&31], uidDigits[lo>>13&31], uidDigits[lo>>8&31],
		uidDigits[lo>>3&31], uidDigits[lo<<2&31])
}

func (u *rawUID) String() string { return string(appendUID(make([]byte, 0, uidLen), u)) }

// parseUID reads what appendUID wrote; false for everything else.
func parseUID(s string) (u rawUID, ok bool) {
	if len(s) != uidLen {
		return u, false
	}
	acc, have, out := uint32(0), 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'v':
			c -= 'a' - 10
		default:
			return u, false
		}
		acc, have = acc<<5|uint32(c), have+5
		if have >= 8 {
			have -= 8
			u[out] = byte(acc >> have)
			out++
			acc &= 1<<have - 1
		}
	}
	return u, acc == 0
}

// checkUID says whether a unique-id is one that RFC 1939 §7 allows.
func checkUID(s string) error {
	if len(s) == 0 || len(s) > maxUID {
		return fmt.Errorf("sqlstore: a unique-id has 1 to %d octets, not %d", maxUID, len(s))
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return fmt.Errorf("sqlstore: unique-id %q has an octet outside 0x21 to 0x7E", s)
		}
	}
	return nil
}
