package imapclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// A Letter is a message to be put into a folder.
type Letter struct {
	// Size is how many octets Text has, at least 1.
	Size int64
	Text io.Reader
	// Date is when it came (INTERNALDATE); zero leaves that to the server.
	Date time.Time
	// Flags are separated by spaces, as in Message. Those that are no system flags are left out.
	Flags string
}

// A Place is where a message was put. It is zero if the server does not say (it does with UIDPLUS).
type Place struct{ UIDValidity, UID uint32 }

// errEmpty: an empty literal takes an APPEND back (RFC 3502).
var errEmpty = errors.New("an empty message cannot be put into a folder")

// Append puts a message into a folder, which must be there: else the error is an *Error with the code TRYCREATE. After a
// *ConnError nobody knows whether the message is there. After an *Error the connection may be closed, too.
func (c *Client) Append(ctx context.Context, folder string, letter Letter) (place Place, err error) {
	if err := CheckFolder(folder); err != nil {
		return place, err
	}
	if letter.Size < 1 {
		return place, errEmpty
	}
	err = c.run(ctx, "APPEND", func() error {
		cmd := c.library.Append(folder, letter.Size, &imap.AppendOptions{Flags: splitFlags(letter.Flags), Time: letter.Date})
		_, copied := io.CopyN(struct{ io.Writer }{cmd}, letter.Text, letter.Size)
		if copied != nil && c.guard.failure() == nil {
			var refused *imap.Error
			if !errors.As(copied, &refused) { // the text cannot be read: the server must not take what there is of it
				c.guard.fail(copied)
			}
		}
		closed := cmd.Close()
		data, err := cmd.Wait()
		if err == nil {
			err = errors.Join(copied, closed)
		}
		if err == nil {
			place = Place{data.UIDValidity, uint32(data.UID)}
		}
		return err
	})
	return place, err
}

func equalFlag(a, b imap.Flag) bool { return strings.EqualFold(string(a), string(b)) }

// splitFlags returns the system flags.
func splitFlags(s string) (flags []imap.Flag) {
	for _, word := range strings.Fields(s) {
		for _, system := range systemFlags {
			if equalFlag(system, imap.Flag(word)) {
				flags = append(flags, system)
			}
		}
	}
	return flags
}
