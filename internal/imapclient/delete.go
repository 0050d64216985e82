package imapclient

import (
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// ErrOthersMarked: other messages in the folder are marked as deleted, and the server can only remove all or none.
var ErrOthersMarked = errors.New("other messages in the folder are marked as deleted, and the server cannot remove some alone (it has no UIDPLUS)")

// deletePiece is how many messages are named in one command.
const deletePiece = 500

// Delete removes messages from the folder that is open with Select. Only nil means that they are removed.
//
// With UIDPLUS no other message is touched. Without it EXPUNGE would also remove what others have marked: it is sent only
// if nothing else is marked, else the messages are left there, marked as deleted, and the error is ErrOthersMarked.
func (c *Client) Delete(ctx context.Context, uids []uint32) error {
	for piece := range slices.Chunk(uids, deletePiece) {
		err := c.run(ctx, "STORE", func() error {
			return c.library.Store(uidSet(piece), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
		})
		if err != nil {
			return err
		}
	}
	if !c.Has("UIDPLUS") {
		return c.expungeAll(ctx, uids)
	}
	for piece := range slices.Chunk(uids, deletePiece) {
		err := c.run(ctx, "EXPUNGE", func() error { return c.library.UIDExpunge(uidSet(piece)).Close() })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) expungeAll(ctx context.Context, uids []uint32) error {
	marked, err := c.search(ctx, &imap.SearchCriteria{Flag: []imap.Flag{imap.FlagDeleted}})
	if err != nil {
		return err
	}
	ours := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		ours[uid] = true
	}
	if slices.ContainsFunc(marked, func(uid uint32) bool { return !ours[uid] }) {
		return ErrOthersMarked
	}
	return c.run(ctx, "EXPUNGE", func() error { return c.library.Expunge().Close() })
}

func uidSet(uids []uint32) (set imap.UIDSet) {
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	return set
}
