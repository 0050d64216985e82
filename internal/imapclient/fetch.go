package imapclient

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-imap/v2"
	library "github.com/emersion/go-imap/v2/imapclient"
)

// A Part says how much of a message is meant.
type Part uint8

// Parts of a message.
const (
	Whole  Part = iota // the message as it is
	Header             // its header and the empty line
)

// fetching is a message that was asked for.
type fetching struct {
	uid     uint32
	part    Part
	command *library.FetchCommand
}

func (c *Client) ask(uid uint32, part Part) *fetching {
	section := &imap.FetchItemBodySection{Peek: true}
	if part == Header {
		section.Specifier = imap.PartSpecifierHeader
	}
	set := imap.UIDSetNum(imap.UID(uid))
	return &fetching{uid, part, c.library.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})}
}

// discard reads what comes and throws it away.
func (f *fetching) discard() { _ = f.command.Close() }

// Ahead asks for messages before their turn, so that they do not wait for a round trip each. They are then fetched in this
// order; any other call throws away what is on its way.
func (c *Client) Ahead(ctx context.Context, part Part, uids ...uint32) error {
	end, err := c.begin(ctx)
	if err != nil {
		return &ConnError{"FETCH", err}
	}
	defer end()
	for _, uid := range uids {
		c.ahead = append(c.ahead, c.ask(uid, part))
	}
	return nil
}

// endAhead throws away what was asked for ahead.
func (c *Client) endAhead() error {
	if len(c.ahead) == 0 {
		return nil
	}
	c.guard.arm()
	defer c.guard.disarm()
	for len(c.ahead) > 0 {
		f := c.ahead[0]
		c.ahead = c.ahead[1:]
		if err := c.wrap("FETCH", f.command.Close()); err != nil {
			var refused *Error
			if !errors.As(err, &refused) {
				return err
			}
		}
	}
	return nil
}

// Fetch opens a message of the open folder without marking it as seen. The reader ends with io.EOF only when all of it
// came and the server confirmed that. It must be closed; what is left unread then is read if it is little, else the
// connection ends. ErrGone: it is not there any more. An *Error: the server refused it.
func (c *Client) Fetch(ctx context.Context, uid uint32, part Part) (io.ReadCloser, error) {
	var f *fetching
	if len(c.ahead) > 0 && c.ahead[0].uid == uid && c.ahead[0].part == part {
		f = c.ahead[0]
		c.ahead = c.ahead[1:]
	} else if err := c.endAhead(); err != nil {
		return nil, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		if f != nil {
			f.discard()
		}
		return nil, &ConnError{"FETCH", err}
	}
	if f == nil {
		f = c.ask(uid, part)
	}
	b := &body{client: c, command: f.command, end: end}
	for data := f.command.Next(); data != nil; data = f.command.Next() {
		for item := data.Next(); item != nil; item = data.Next() {
			if section, ok := item.(library.FetchItemDataBodySection); ok && section.Literal != nil && sameSection(section.Section, part) {
				b.text, c.current = section.Literal, b
				return b, nil
			}
		}
	}
	defer end()
	if err := c.wrap("FETCH", f.command.Close()); err != nil {
		return nil, err
	}
	return nil, ErrGone
}

func sameSection(s *imap.FetchItemBodySection, part Part) bool {
	want := imap.PartSpecifierNone
	if part == Header {
		want = imap.PartSpecifierHeader
	}
	return s.Specifier == want && len(s.Part) == 0 && len(s.HeaderFields) == 0 && len(s.HeaderFieldsNot) == 0 && s.Partial == nil
}

// A body is the text of a message on its way.
type body struct {
	client  *Client
	command *library.FetchCommand
	text    imap.LiteralReader
	end     func()
	got     int64
	err     error // io.EOF at its proper end
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.text.Read(p)
	b.got += int64(n)
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		b.err = b.client.wrap("FETCH", err)
		b.finish()
		return n, b.err
	case b.got < b.text.Size():
		b.err = b.client.wrap("FETCH", fmt.Errorf("%w: %d of %d octets of the message", io.ErrUnexpectedEOF, b.got, b.text.Size()))
		b.finish()
		return n, b.err
	}
	if b.err = b.client.wrap("FETCH", b.finish()); b.err == nil {
		b.err = io.EOF
	}
	return n, b.err
}

// finish waits for the server's word on the command.
func (b *body) finish() error {
	if b.end == nil {
		return nil
	}
	end := b.end
	b.end, b.client.current = nil, nil
	defer end()
	return b.command.Close()
}

func (b *body) Close() error {
	if b.err == nil {
		b.err = ErrClosed
		if b.text.Size()-b.got > maxDrain {
			b.client.guard.fail(fmt.Errorf("%w: a message was given up", ErrClosed))
		}
	}
	if b.end == nil {
		return nil
	}
	if err := b.client.wrap("FETCH", b.finish()); err != nil && !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}
