package collect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// maxHeader is how much of a header is looked at, in octets. The rest counts as body.
const maxHeader = 256 << 10

// An identity is what a message is known by besides its UID.
type identity struct {
	// digest is of the header, without what servers put in when a message is read. It begins with 's' if the header has
	// something that makes it unlike others (a Message-ID, a Date, a Received line), else with 'w'.
	digest string
	msgid  string
	date   time.Time // of the Date field; zero if it cannot be read
	sender string    // of the Return-Path field
}

func (id identity) strong() bool { return strings.HasPrefix(id.digest, "s") }

// volatile are header fields that servers add or change when a message is read or moved.
var volatile = []string{"status", "x-status", "x-uidl", "x-uid", "x-keywords", "x-mozilla-status", "x-mozilla-status2", "lines", "content-length"}

// identify reads the identity off a header. Line ends and space at the end of lines do not count.
func identify(header []byte) identity {
	var (
		id   identity
		sum  = sha256.New()
		skip bool
		mark = byte('w')
	)
	for line := range bytes.Lines(header) {
		line = bytes.TrimRight(line, " \t\r\n")
		if len(line) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, value, _ := strings.Cut(string(line), ":")
			name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
			skip = false
			for _, v := range volatile {
				skip = skip || v == name
			}
			switch name {
			case "message-id":
				mark = 's'
				if id.msgid == "" && len(value) <= 998 {
					id.msgid = value
				}
			case "date":
				mark = 's'
				if id.date.IsZero() {
					id.date, _ = mail.ParseDate(value)
				}
			case "received":
				mark = 's'
			case "return-path":
				if id.sender == "" {
					id.sender = strings.Trim(value, "<> ")
				}
			}
		}
		if !skip {
			sum.Write(line)
			sum.Write([]byte{'\n'})
		}
	}
	id.digest = string(mark) + hex.EncodeToString(sum.Sum(nil)[:16])
	return id
}

// is reports whether e is the message with this identity, which is listed with this size and UID. It would rather take
// one message for two than two for one: a wrong yes loses mail.
func (e *entry) is(id identity, uid string, size int64) bool {
	if e.digest == "" {
		// Left at the start without a look at its header.
		return e.outcome == outcomeLeft && (e.uid != "" && e.uid == uid || e.size == size)
	}
	if id.strong() {
		return e.digest == id.digest || id.msgid != "" && e.msgid == id.msgid && e.size == size
	}
	return e.digest == id.digest && e.size == size && e.phase != phaseConfirmed
}

// newKey returns a key for a message, one that memory does not have. It rests on the UID, or, where that is not enough,
// on the content: a collector that has lost its journal finds the same keys again.
func newKey(account, uid string, unique bool, id *identity, size int64, taken func(string) bool) string {
	parts := []string{account, "uid", uid}
	if uid == "" || !unique {
		parts = []string{account, "size", uid, strconv.FormatInt(size, 10)}
		if id != nil && id.strong() {
			parts = []string{account, "header", uid, id.digest}
		} else if id != nil {
			parts = append(parts, id.digest)
		}
	}
	for i := 0; ; i++ {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00") + "\x00" + strconv.Itoa(i)))
		if key := hex.EncodeToString(sum[:20]); !taken(key) {
			return key
		}
	}
}

// readHeader reads until the empty line, the end of r, or maxHeader octets. start has what was read, of which the first
// n octets are the header with the empty line.
func readHeader(r io.Reader) (start []byte, n int, err error) {
	start = make([]byte, 0, 4<<10)
	for from := 0; ; {
		if len(start) == cap(start) {
			start = append(start, 0)[:len(start)]
		}
		m, err := r.Read(start[len(start):min(cap(start), maxHeader)])
		start = start[:len(start)+m]
		if n := headerEnd(start, from); n > 0 {
			return start, n, nil
		}
		from = max(0, len(start)-3)
		switch {
		case errors.Is(err, io.EOF), len(start) >= maxHeader:
			return start, len(start), nil
		case err != nil:
			return start, 0, err
		}
	}
}

// headerEnd returns where the body begins, or 0. from is where to look for the empty line.
func headerEnd(b []byte, from int) int {
	if len(b) > 0 && b[0] == '\n' {
		return 1
	}
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return 2
	}
	for i := from; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j
		rest := b[i+1:]
		if bytes.HasPrefix(rest, []byte("\n")) {
			return i + 2
		}
		if bytes.HasPrefix(rest, []byte("\r\n")) {
			return i + 3
		}
	}
	return 0
}
