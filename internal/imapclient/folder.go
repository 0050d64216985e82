package imapclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// A Folder is what a server says about one when it is opened.
type Folder struct {
	// Messages is how many there are.
	Messages uint32
	// UIDValidity goes with the UIDs: with another one they are other UIDs. 0: the server has no lasting UIDs.
	UIDValidity uint32
	// UIDNext is more than any UID, 0 if the server does not say.
	UIDNext uint32
	// Deletes reports whether messages can be marked as deleted for good. It is for Select.
	Deletes bool
}

// Examine opens a folder without changing anything in it: nothing can be marked until it is opened with Select.
func (c *Client) Examine(ctx context.Context, folder string) (Folder, error) {
	return c.open(ctx, "EXAMINE", folder, true)
}

// Select opens a folder.
func (c *Client) Select(ctx context.Context, folder string) (Folder, error) {
	return c.open(ctx, "SELECT", folder, false)
}

func (c *Client) open(ctx context.Context, op, folder string, readOnly bool) (f Folder, err error) {
	if err := CheckFolder(folder); err != nil {
		return f, err
	}
	err = c.run(ctx, op, func() error {
		data, err := c.library.Select(folder, &imap.SelectOptions{ReadOnly: readOnly}).Wait()
		if err == nil {
			f = Folder{Messages: data.NumMessages, UIDValidity: data.UIDValidity, UIDNext: uint32(data.UIDNext)}
			f.Deletes = !readOnly && (len(data.PermanentFlags) == 0 || slices.Contains(data.PermanentFlags, imap.FlagDeleted) ||
				slices.Contains(data.PermanentFlags, imap.FlagWildcard))
		}
		return err
	})
	return f, err
}

// MakeFolder makes a folder, and subscribes to it, if it is not there.
func (c *Client) MakeFolder(ctx context.Context, folder string) error {
	if err := CheckFolder(folder); err != nil {
		return err
	}
	var refused *Error
	err := c.run(ctx, "STATUS", func() error {
		_, err := c.library.Status(folder, &imap.StatusOptions{UIDNext: true}).Wait()
		return err
	})
	if !errors.As(err, &refused) {
		return err
	}
	err = c.run(ctx, "CREATE", func() error { return c.library.Create(folder, nil).Wait() })
	if errors.As(err, &refused) && refused.Has("ALREADYEXISTS") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the folder %q cannot be made: %w", folder, err)
	}
	// So that mail programs show it. It is there without that, too.
	if err := c.run(ctx, "SUBSCRIBE", func() error { return c.library.Subscribe(folder).Wait() }); err != nil && !errors.As(err, &refused) {
		return err
	}
	return nil
}
