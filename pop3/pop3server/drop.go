package pop3server

import (
	"strconv"

	"github.com/postamt/postamt/pop3"
)

// A drop is the maildrop of a session with the session's own view of it: numbers, marks, sizes.
type drop struct {
	Maildrop
	list          Listing
	n             int
	octets        int64
	deleted       marks
	retrieved     marks
	deletedOctets int64
	last          int // RFC 1460 LAST
}

// marks is a set of messages. It takes memory when the first is added.
type marks struct {
	bits  []uint64
	count int
}

func (m *marks) has(i int) bool { return m.bits != nil && m.bits[i/64]&(1<<(i%64)) != 0 }

// add adds i of n.
func (m *marks) add(i, n int) {
	if m.bits == nil {
		m.bits = make([]uint64, (n+63)/64)
	}
	if !m.has(i) {
		m.bits[i/64] |= 1 << (i % 64)
		m.count++
	}
}

func (m *marks) clear() { *m = marks{} }

// list returns the set in ascending order, nil if it is empty.
func (m *marks) list() []int {
	if m.count == 0 {
		return nil
	}
	all := make([]int, 0, m.count)
	for i := range len(m.bits) * 64 {
		if m.has(i) {
			all = append(all, i)
		}
	}
	return all
}

// signedIn reports whether there is a maildrop.
func (c *Conn) signedIn() bool { return c.state != pop3.StateAuthorization }

// left returns how many messages are not marked, and their octets.
func (d *drop) left() (n int, octets int64) {
	return d.n - d.deleted.count, d.octets - d.deletedOctets
}

// message returns the index of the message that a client means by a number. Marked messages count as not there
// (RFC 1939 §5).
func (d *drop) message(arg []byte) (i int, err error) {
	num, ok := pop3.ParseNum(arg)
	switch {
	case !ok:
		return 0, errBadNumber
	case num > d.n:
		b := appendMessages([]byte("no such message, only "), d.n)
		return 0, &pop3.Error{Text: string(append(b, " in maildrop"...))}
	case d.deleted.has(num - 1):
		return 0, &pop3.Error{Text: "message " + strconv.Itoa(num) + " already deleted"}
	}
	return num - 1, nil
}

// appendMessages appends "1 message", or "n messages".
func appendMessages(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 10)
	if n == 1 {
		return append(dst, " message"...)
	}
	return append(dst, " messages"...)
}

// appendDrop appends what is in the maildrop, in words: "2 messages (320 octets)".
func (d *drop) appendDrop(dst []byte) []byte {
	n, octets := d.left()
	dst = append(appendMessages(dst, n), " ("...)
	dst = strconv.AppendInt(dst, octets, 10)
	return append(dst, " octets)"...)
}

// release gives the maildrop back, once.
func (c *Conn) release() {
	if d := c.drop.Maildrop; d != nil {
		c.sum.Deleted = c.drop.deleted.count
		c.drop = drop{}
		c.close(d)
	}
	if c.user != "" {
		c.s.perUser.leave(c.user)
		c.user = ""
	}
}

// close closes a maildrop. A panic in it is the backend's bug, not a reason to stop the program.
func (c *Conn) close(d Maildrop) {
	defer func() {
		if p := recover(); p != nil {
			c.s.opt.Logger.Error("panic when closing a maildrop", "conn", c.ID(), "panic", p)
		}
	}()
	if err := d.Close(); err != nil {
		c.s.opt.Logger.Error("cannot close a maildrop", "conn", c.ID(), "user", c.sum.User, "err", err)
	}
}
