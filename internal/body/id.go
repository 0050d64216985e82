package body

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// An ID names a body. Its first 48 bits are the time of creation in milliseconds since 1970, so that bodies of one period
// lie together; the other 80 are random.
type ID [16]byte

// newID returns an ID for a body made at t.
func newID(t time.Time, random io.Reader) (ID, error) {
	var id ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return ID{}, fmt.Errorf("body: no random numbers: %w", err)
	}
	return id, nil
}

// ParseID reads what [ID.String] wrote.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) || !isLowerHex(s) {
		return ID{}, fmt.Errorf("body: %.40q is not an id: it must be %d hexadecimal digits in lower case", s, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("body: %q is not an id: %w", s, err)
	}
	return id, nil
}

// String returns the 32 hexadecimal digits of the ID, which are its file's name.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Time returns when the body was created, by the clock of the machine that did it.
func (id ID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

// The path of a body is three parts: "01a20" for some three days, "32" for some 17 minutes of them, and the whole id. At
// a thousand messages a second the inner folder gets a million files, at a few a day the outer gets a few folders.
const (
	outerDigits = 5
	innerDigits = 2
	folderLen   = outerDigits + 1 + innerDigits
	folderSpan  = time.Duration(1<<(48-4*(outerDigits+innerDigits))) * time.Millisecond
)

// path returns the body's path below the store's folder.
func (id ID) path() string {
	b := make([]byte, 0, folderLen+1+2*len(id))
	return string(hex.AppendEncode(append(id.appendFolder(b), '/'), id[:]))
}

// folder returns the folder the body lies in.
func (id ID) folder() string {
	return string(id.appendFolder(make([]byte, 0, folderLen)))
}

func (id ID) appendFolder(dst []byte) []byte {
	var digits [2 * len(id)]byte
	hex.Encode(digits[:], id[:])
	dst = append(dst, digits[:outerDigits]...)
	dst = append(dst, '/')
	return append(dst, digits[outerDigits:outerDigits+innerDigits]...)
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
