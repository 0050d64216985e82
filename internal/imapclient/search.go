package imapclient

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// maxFound is how many messages a search may find.
const maxFound = 100_000

// WithHeader returns the messages of the open folder that have a header field with this name and this text in it.
func (c *Client) WithHeader(ctx context.Context, name, text string) ([]uint32, error) {
	return c.search(ctx, &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: name, Value: text}}})
}

// WithSize returns the messages of the open folder that have this size, in octets.
func (c *Client) WithSize(ctx context.Context, size int64) ([]uint32, error) {
	return c.search(ctx, &imap.SearchCriteria{Larger: size - 1, Smaller: size + 1})
}

func (c *Client) search(ctx context.Context, criteria *imap.SearchCriteria) (uids []uint32, err error) {
	err = c.run(ctx, "SEARCH", func() error {
		data, err := c.library.UIDSearch(criteria, nil).Wait()
		if err != nil {
			return err
		}
		set, ok := data.All.(imap.UIDSet)
		if !ok {
			return nil // nothing was found
		}
		for _, r := range set {
			if r.Stop < r.Start || int(r.Stop-r.Start) >= maxFound-len(uids) {
				return fmt.Errorf("%w: a search found more than %d messages", ErrTooLarge, maxFound)
			}
			for uid := r.Start; uid <= r.Stop && uid != 0; uid++ {
				uids = append(uids, uint32(uid))
			}
		}
		return nil
	})
	return uids, err
}
