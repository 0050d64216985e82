package pop3client

import (
	"bytes"
	"context"
	"iter"

	"github.com/postamt/postamt/internal/wire"
)

// A Scan is a line of the scan listing: a message that is not marked as deleted.
type Scan struct {
	// Num is the message-number.
	Num int
	// Size is the message's size in octets, or -1 if the server sent one that cannot be. It is a hint: servers round it,
	// count LF as one octet, or count what they do not send.
	Size int64
}

// A UniqueID is a line of the unique-id listing.
type UniqueID struct {
	// Num is the message-number.
	Num int
	// UID is the unique-id, without the space around it. It should have 1 to 70 visible octets, but servers send longer
	// ones, other octets, one UID twice, and none at all: then it is empty. Compare it octet by octet.
	UID string
}

// List sends LIST when the iteration begins and yields the scan listing line by line. An error is the last thing yielded.
// The session is busy until the iteration ends. When the loop ends early, the rest of the listing is skipped, see
// Options.MaxDrain.
func (c *Client) List(ctx context.Context) iter.Seq2[Scan, error] {
	return func(yield func(Scan, error) bool) {
		l := listing{c: c}
		defer l.close()
		for line := range l.lines(ctx, "LIST") {
			num, size, ok := parseScan(line)
			if !ok {
				l.err = c.protocolError(line, errNoNumbers)
				break
			}
			l.inside = true
			more := yield(Scan{num, size}, nil)
			if l.inside = false; !more {
				return
			}
		}
		if l.err != nil {
			yield(Scan{}, l.err)
		}
	}
}

// UIDs sends UIDL when the iteration begins and yields the unique-id listing line by line, in the manner of List. Servers
// need not know UIDL; such a one answers with a *pop3.Error.
func (c *Client) UIDs(ctx context.Context) iter.Seq2[UniqueID, error] {
	return func(yield func(UniqueID, error) bool) {
		l := listing{c: c}
		defer l.close()
		for line := range l.lines(ctx, "UIDL") {
			num, uid, ok := parseUID(line)
			if !ok {
				l.err = c.protocolError(line, errNoNumbers)
				break
			}
			l.inside = true
			more := yield(UniqueID{num, string(uid)}, nil)
			if l.inside = false; !more {
				return
			}
		}
		if l.err != nil {
			yield(UniqueID{}, l.err)
		}
	}
}

// Size returns the size of message num, see Scan.
func (c *Client) Size(ctx context.Context, num int) (int64, error) {
	if err := checkNum("LIST", num); err != nil {
		return 0, err
	}
	text, err := c.command(ctx, "LIST", num)
	if err != nil {
		return 0, err
	}
	got, size, ok := parseScan(text)
	if err := c.checkAnswer(text, got, num, ok); err != nil {
		return 0, err
	}
	c.end()
	return size, nil
}

// UID returns the unique-id of message num, see UniqueID.
func (c *Client) UID(ctx context.Context, num int) (string, error) {
	if err := checkNum("UIDL", num); err != nil {
		return "", err
	}
	text, err := c.command(ctx, "UIDL", num)
	if err != nil {
		return "", err
	}
	got, b, ok := parseUID(text)
	uid := string(b)
	if err := c.checkAnswer(text, got, num, ok); err != nil {
		return "", err
	}
	c.end()
	return uid, nil
}

// checkAnswer fails if a line is not about the message that was asked for.
func (c *Client) checkAnswer(line []byte, got, want int, ok bool) error {
	switch {
	case !ok:
		return c.protocolError(line, errNoNumbers)
	case got != want:
		return c.protocolError(line, errOtherNumber)
	}
	return nil
}

// parseScan reads message-number and size. What follows is of no account (RFC 1939 §5).
func parseScan(line []byte) (num int, size int64, ok bool) {
	num, rest, ok := cutNum(line)
	if !ok {
		return 0, 0, false
	}
	size, _, ok = cutNumber(rest)
	return num, size, ok
}

// parseUID reads message-number and unique-id.
func parseUID(line []byte) (num int, uid []byte, ok bool) {
	num, rest, ok := cutNum(line)
	return num, bytes.Trim(rest, " \t"), ok
}

// listing reads the lines of one multi-line response.
type listing struct {
	c      *Client
	open   bool // the terminating line was not read yet
	inside bool // in the loop's body: at close that means a panic
	left   int64
	err    error
}

// lines sends the command and yields the lines, valid until the next one. It sets err.
func (l *listing) lines(ctx context.Context, verb string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if _, l.err = l.c.command(ctx, verb); l.err != nil {
			return
		}
		l.open, l.left = true, l.c.opt.MaxListing
		for {
			line, ok := l.next()
			if !ok || !yield(line) {
				return
			}
		}
	}
}

// next reads one line; not ok is the end, or err.
func (l *listing) next() ([]byte, bool) {
	line, err := l.c.r.ReadLine(l.c.opt.MaxLine)
	if err == nil && string(line) == "." {
		l.open = false
		l.c.end()
		l.err = l.c.err
		return nil, false
	}
	if err == nil && l.left >= 0 {
		if l.left -= int64(len(line)) + 2; l.left < 0 {
			err = wire.ErrTooLong
		}
	}
	if err != nil {
		l.open, l.err = false, l.c.fail(err)
		return nil, false
	}
	return unstuff(line), true
}

// close skips what the caller did not want to see.
func (l *listing) close() {
	if !l.open || l.c.err != nil {
		return
	}
	skipped := int64(0)
	for limit := l.c.opt.MaxDrain; !l.inside; {
		line, ok := l.next()
		if !ok {
			return
		}
		if skipped += int64(len(line)) + 2; limit >= 0 && skipped > limit {
			break
		}
	}
	l.c.fail(ErrAbandoned)
}
