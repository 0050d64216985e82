package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"sync"
)

// A state says what is known of a message.
type state uint8

const (
	sending  state = iota // on its way: it may show up at any time
	doubtful              // cut after the last octet, before the reply: it may be there or not, for good
	there                 // the server said 250, or it was seen
	deleting              // QUIT was sent and cut: it is there or not, with all others of that QUIT
	deleted               // the server said +OK to QUIT: it must never be seen again
)

// A letter is a message as it was sent.
type letter struct {
	size  int
	crc   uint32
	state state
	uid   string // once it was seen
}

// A box is what must be in one maildrop.
type box struct {
	user string
	// session is held while a session is signed in: the maildrop is exclusive.
	session sync.Mutex

	mu      sync.Mutex
	next    uint64
	letters map[uint64]*letter
	uids    map[string]uint64 // all that were ever seen, of deleted messages, too
}

func newBox(user string) *box {
	return &box{user: user, letters: map[uint64]*letter{}, uids: map[string]uint64{}}
}

const (
	idField  = "X-Soak-Id: "
	idPrefix = idField + "%s/%d\r\n"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// post enters a message that is about to be sent, and returns it with its id in front.
func (b *box) post(msg []byte) (id uint64, whole []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	whole = append(fmt.Appendf(nil, idPrefix, b.user, b.next), msg...)
	b.letters[b.next] = &letter{size: len(whole), crc: crc32.Checksum(whole, castagnoli)}
	return b.next, whole
}

// posted says how sending ended.
func (b *box) posted(id uint64, s state) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.letters[id]; l.state == sending {
		l.state = s
	}
}

// unsent forgets a message that was cut before its end. If it is ever seen, it is an unknown one.
func (b *box) unsent(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.letters, id)
}

// expected are the messages that a session that begins from now on must see.
func (b *box) expected() map[uint64]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	must := map[uint64]bool{}
	for id, l := range b.letters {
		if l.state == there {
			must[id] = true
		}
	}
	return must
}

// listing compares what UIDL says with what must be there and what may be there.
func (b *box) listing(must map[uint64]bool, uids []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen, unknown := map[uint64]bool{}, 0
	for _, uid := range uids {
		id, ok := b.uids[uid]
		switch {
		case !ok:
			unknown++
		case seen[id]:
			return fmt.Errorf("%s: unique-id %s twice in one listing", b.user, uid)
		case b.letters[id].state == deleted:
			return fmt.Errorf("%s: message %d (%s) was deleted and is back", b.user, id, uid)
		default:
			seen[id] = true
		}
	}
	fresh := 0 // that may stand behind an unknown unique-id
	for id, l := range b.letters {
		switch {
		case l.uid == "" && l.state != deleted:
			fresh++
		case must[id] && !seen[id]:
			return fmt.Errorf("%s: message %d (%s) is lost", b.user, id, l.uid)
		}
		if must[id] && l.uid == "" {
			unknown--
		}
	}
	for id := range must {
		if b.letters[id].uid == "" {
			fresh--
		}
	}
	if unknown < 0 {
		return fmt.Errorf("%s: %d messages are lost that were never listed", b.user, -unknown)
	}
	if unknown > fresh {
		return fmt.Errorf("%s: %d messages more than were sent", b.user, unknown-fresh)
	}
	return b.settle(seen)
}

// settle finds out how cut QUITs ended: all of their messages are gone, or none.
func (b *box) settle(seen map[uint64]bool) error {
	here, gone := 0, 0
	for id, l := range b.letters {
		if l.state != deleting {
			continue
		}
		if seen[id] {
			l.state = there
			here++
		} else {
			l.state = deleted
			gone++
		}
	}
	if here > 0 && gone > 0 {
		return fmt.Errorf("%s: a cut QUIT deleted %d messages and left %d", b.user, gone, here)
	}
	return nil
}

// received checks a retrieved message against what was sent and returns its id.
func (b *box) received(uid string, msg []byte) (uint64, error) {
	at := bytes.Index(msg, []byte(idField))
	if at < 0 {
		return 0, fmt.Errorf("%s: %s is no message of ours", b.user, uid)
	}
	sent := msg[at:]
	line, _, _ := bytes.Cut(sent[len(idField):], []byte("\r\n"))
	user, number, _ := bytes.Cut(line, []byte("/"))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil || string(user) != b.user {
		return 0, fmt.Errorf("%s: %s is the message %q", b.user, uid, line)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.letters[id]
	switch {
	case l == nil:
		return 0, fmt.Errorf("%s: message %d was cut before its end and is there", b.user, id)
	case len(sent) != l.size || crc32.Checksum(sent, castagnoli) != l.crc:
		return 0, fmt.Errorf("%s: message %d has other octets than were sent (%d, sent %d)", b.user, id, len(sent), l.size)
	case l.state == deleted:
		return 0, fmt.Errorf("%s: message %d was deleted and is back", b.user, id)
	case l.uid == "":
		if other, ok := b.uids[uid]; ok {
			return 0, fmt.Errorf("%s: messages %d and %d have the unique-id %s", b.user, other, id, uid)
		}
		l.uid = uid
		b.uids[uid] = id
	case l.uid != uid:
		return 0, fmt.Errorf("%s: message %d has the unique-ids %s and %s: it is there twice", b.user, id, l.uid, uid)
	}
	if l.state != deleting {
		l.state = there
	}
	return id, nil
}

// mark sets the state of messages.
func (b *box) mark(ids []uint64, s state) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.letters[id].state = s
	}
}

// An Account of all messages at the end.
type Account struct {
	Accepted int `json:"accepted"` // 250 was received, or the message was seen
	Cut      int `json:"cut"`      // sent whole, the reply not awaited, and never seen
	Deleted  int `json:"deleted"`
	Left     int `json:"left"`
}

// count adds the messages of a box that was looked through at the end.
func (a *Account) count(b *box) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		switch l.state {
		case deleted:
			a.Accepted++
			a.Deleted++
		case there:
			a.Accepted++
			a.Left++
		default:
			a.Cut++
		}
	}
}

// some returns a random part of ids.
func some(ids []uint64, part float64) (out []uint64) {
	for _, id := range ids {
		if rand.Float64() < part {
			out = append(out, id)
		}
	}
	return out
}
