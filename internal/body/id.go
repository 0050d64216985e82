package body

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"
)

// An ID names a body. Its first 48 bits are the time of creation in milliseconds since 1970, so that bodies of one period
// lie together; the next 56 are random. These together name a file. The last 24 are the place in it: 0 if the body is alone
// there, else 1 more than the octets of the bundle that are before it.
type ID [16]byte

// fileLen is how many octets of an ID name the file.
const fileLen = 13

// newID returns an ID for a file made at t.
func newID(t time.Time, random io.Reader) (ID, error) {
	var id ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	if _, err := io.ReadFull(random, id[6:fileLen]); err != nil {
		return ID{}, fmt.Errorf("body: no random numbers: %w", err)
	}
	return id, nil
}

// parseFile reads the name of a file.
func parseFile(s string) (id ID, ok bool) {
	if len(s) != 2*fileLen || !isLowerHex(s) {
		return ID{}, false
	}
	_, err := hex.Decode(id[:], []byte(s))
	return id, err == nil
}

// Range returns the least and the greatest ID that a body in the same file can have. The least, with place 0, is what [Entry]
// calls the file.
func (id ID) Range() (first, last ID) { return id.withPlace(0), id.withPlace(maxPlace) }

// maxPlace is the greatest place.
const maxPlace = 1<<24 - 1

// Inside returns the least and the greatest ID that a body can have which begins behind the first octet of this one and
// before its end: in a bundle there is no such body. If it has but one octet the greatest is below the least.
func (id ID) Inside(octets int64) (first, last ID) {
	behind := min(max(octets, 1), maxPlace) - 1
	return id.withPlace(min(id.place()+1, maxPlace)), id.withPlace(min(id.place()+int(behind), maxPlace))
}

// Bundled reports whether the body may share its file with others.
func (id ID) Bundled() bool { return id.place() > 0 }

// bundled returns the ID of the body that begins at an octet of the bundle that id names.
func (id ID) bundled(at int) ID { return id.withPlace(at + 1) }

// at returns the octet of the file at which the body begins.
func (id ID) at() int64 { return int64(max(id.place()-1, 0)) }

func (id ID) place() int {
	return int(id[fileLen])<<16 | int(id[fileLen+1])<<8 | int(id[fileLen+2])
}

func (id ID) withPlace(place int) ID {
	id[fileLen], id[fileLen+1], id[fileLen+2] = byte(place>>16), byte(place>>8), byte(place)
	return id
}

// String returns the 32 hexadecimal digits of the ID: 26 that are its file's name, and 6 of the place.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Time returns when the body was created, by the clock of the machine that did it.
func (id ID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

// The path of a file is three parts: "01a20" for some three days, "32" for some 17 minutes of them, and its whole name. At
// a thousand messages a second the inner folder gets a million files, at a few a day the outer gets a few folders.
const (
	outerDigits = 5
	innerDigits = 2
	folderLen   = outerDigits + 1 + innerDigits
	folderSpan  = time.Duration(1<<(48-4*(outerDigits+innerDigits))) * time.Millisecond
)

// path returns the path of the body's file below the store's folder.
func (id ID) path() string {
	b := make([]byte, 0, folderLen+1+2*fileLen)
	return string(hex.AppendEncode(append(id.appendFolder(b), '/'), id[:fileLen]))
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

// folderEnd returns the end of the time of which the bodies in a folder are, by its digits, or those of the folder it is in.
func folderEnd(digits string) time.Time {
	n, _ := strconv.ParseInt(digits, 16, 64)
	return time.UnixMilli((n + 1) << (48 - 4*len(digits)))
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
