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

// A batch is one command for some messages.
//
// It is one command, and not one for each message, because a server may work on several commands at a time (Dovecot does):
// then the text of the next message can come before the word on the one before it.
type batch struct {
	part    Part
	uids    []uint32 // that are not handed out yet, in ascending order
	command *library.FetchCommand

	// The message whose text comes next, if there is one.
	uid  uint32
	text imap.LiteralReader
}

func (c *Client) ask(part Part, uids ...uint32) *batch {
	section := &imap.FetchItemBodySection{Peek: true}
	if part == Header {
		section.Specifier = imap.PartSpecifierHeader
	}
	return &batch{part: part, uids: uids, command: c.library.Fetch(uidSet(uids), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})}
}

// next goes to the next message's text.
func (b *batch) next() {
	b.text = nil
	for data := b.command.Next(); data != nil; data = b.command.Next() {
		for item := data.Next(); item != nil; item = data.Next() {
			switch item := item.(type) {
			case library.FetchItemDataUID:
				b.uid = uint32(item.UID)
			case library.FetchItemDataBodySection:
				if item.Literal != nil && sameSection(item.Section, b.part) {
					b.text = item.Literal
					return
				}
			}
		}
	}
}

// Ahead asks for several messages at a time, so that they do not wait for a round trip each. uids are in ascending order,
// and so they are to be fetched; any other call throws away what is on its way.
func (c *Client) Ahead(ctx context.Context, part Part, uids ...uint32) error {
	if err := c.endAhead(); err != nil {
		return err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return &ConnError{"FETCH", err}
	}
	defer end()
	c.batch = c.ask(part, uids...)
	return nil
}

// endAhead throws away what was asked for ahead.
func (c *Client) endAhead() error {
	if c.batch == nil {
		return nil
	}
	c.guard.arm()
	defer c.guard.disarm()
	b := c.batch
	c.batch = nil
	err := c.wrap("FETCH", b.command.Close())
	var refused *Error
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// Fetch opens a message of the open folder without marking it as seen. The reader ends with io.EOF only when all of it
// came, and, if it is the last that was asked for, the server confirmed that. It must be closed before the next call; what
// is left unread then is read if it is little, else the connection ends and Close says so with ErrClosed. ErrGone: it is not
// there any more. An *Error: the server refused it.
func (c *Client) Fetch(ctx context.Context, uid uint32, part Part) (io.ReadCloser, error) {
	if b := c.batch; b == nil || b.part != part || len(b.uids) == 0 || b.uids[0] != uid {
		if err := c.Ahead(ctx, part, uid); err != nil {
			return nil, err
		}
	}
	b := c.batch
	b.uids = b.uids[1:]
	end, err := c.begin(ctx)
	if err != nil {
		return nil, &ConnError{"FETCH", err}
	}
	if b.text == nil {
		b.next()
	}
	switch {
	case b.text != nil && b.uid == uid:
		body := &body{client: c, batch: b, text: b.text, end: end}
		b.text = nil
		return body, nil
	case b.text != nil && len(b.uids) > 0 && b.uid > uid: // of a later one
		end()
		return nil, ErrGone
	}
	defer end()
	c.batch = nil
	if err := c.wrap("FETCH", b.command.Close()); err != nil {
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
	client *Client
	batch  *batch
	text   imap.LiteralReader
	end    func()
	got    int64
	err    error // io.EOF at its proper end
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.text.Read(p)
	b.got += int64(n)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
		if b.got < b.text.Size() {
			err = fmt.Errorf("%w: %d of %d octets of the message", io.ErrUnexpectedEOF, b.got, b.text.Size())
		}
	}
	if err = b.finish(err); err == nil {
		err = io.EOF
	}
	b.err = err
	return n, b.err
}

// finish ends the use of the connection. With the last message of a batch it waits for the server's word on it.
func (b *body) finish(err error) error {
	defer b.end()
	c := b.client
	switch {
	case err != nil:
		c.batch = nil // the connection is over, and the library must not be made to read the text again
	case len(b.batch.uids) == 0:
		c.batch = nil
		err = b.batch.command.Close()
	}
	return c.wrap("FETCH", err)
}

func (b *body) Close() error {
	if b.err != nil {
		return nil
	}
	if b.text.Size()-b.got > maxDrain {
		b.client.guard.fail(fmt.Errorf("%w: a message was given up", ErrClosed))
	}
	_, err := io.Copy(io.Discard, b.text)
	b.err = ErrClosed
	return b.finish(err)
}
