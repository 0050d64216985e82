package imapclient

import (
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	library "github.com/emersion/go-imap/v2/imapclient"
)

// A Message is what is listed of a message.
type Message struct {
	Num  uint32 // message sequence number
	UID  uint32
	Size int64     // octets, as the server says (RFC822.SIZE); -1 if it does not say
	Date time.Time // when it came to the server (INTERNALDATE); zero if it does not say
	// Flags are separated by spaces, like `\Seen \Answered`.
	Flags string
}

// listPiece is how many messages are asked for in one command.
const listPiece = 2000

// List returns what is in the open folder, in its order. It asks by sequence number in pieces: while that goes on no server
// may renumber them (RFC 3501 §7.4.1), and each piece has a known length, which pieces of UIDs have not.
func (c *Client) List(ctx context.Context, folder Folder) ([]Message, error) {
	if folder.Messages > maxListed {
		return nil, fmt.Errorf("%w: a folder of %d messages", ErrTooLarge, folder.Messages)
	}
	list := make([]Message, 0, min(folder.Messages, listPiece))
	known := map[string]string{} // most messages have the same few flags
	for first := uint32(1); first <= folder.Messages; first += listPiece {
		var set imap.SeqSet
		set.AddRange(first, min(first+listPiece-1, folder.Messages))
		err := c.run(ctx, "FETCH", func() error {
			cmd := c.library.Fetch(set, &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true, Flags: true})
			for data := cmd.Next(); data != nil; data = cmd.Next() {
				if m := listed(data, known); m.UID != 0 {
					list = append(list, m)
				}
			}
			return cmd.Close()
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func listed(data *library.FetchMessageData, known map[string]string) Message {
	m := Message{Num: data.SeqNum, Size: -1}
	for item := data.Next(); item != nil; item = data.Next() {
		switch item := item.(type) {
		case library.FetchItemDataUID:
			m.UID = uint32(item.UID)
		case library.FetchItemDataRFC822Size:
			m.Size = item.Size
		case library.FetchItemDataInternalDate:
			m.Date = item.Time
		case library.FetchItemDataFlags:
			m.Flags = joinFlags(item.Flags, known)
		}
	}
	return m
}

// systemFlags are those that every server knows and a message keeps when it moves.
var systemFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDraft}

// joinFlags returns the system flags among flags, the same text for the same flags.
func joinFlags(flags []imap.Flag, known map[string]string) string {
	var buf [64]byte
	text := buf[:0]
	for _, system := range systemFlags {
		for _, f := range flags {
			if equalFlag(f, system) {
				if len(text) > 0 {
					text = append(text, ' ')
				}
				text = append(text, system...)
				break
			}
		}
	}
	if s, ok := known[string(text)]; ok {
		return s
	}
	s := string(text)
	known[s] = s
	return s
}
