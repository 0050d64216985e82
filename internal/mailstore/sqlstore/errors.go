package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/mailstore"
)

// answers are errors that mean themselves; every other is a fault of disk or database.
var answers = []error{
	mailstore.ErrInUse, mailstore.ErrGone, mailstore.ErrRemoved, mailstore.ErrReadOnly, mailstore.ErrTooLarge,
	mailstore.ErrUIDTaken, mailstore.ErrUnavailable, context.Canceled, context.DeadlineExceeded,
}

// errBefore refuses a store of version 1: migrations/0002_places.sql.
var errBefore = errors.New("this data folder has mail from before messages shared files: export that with the program that stored " +
	"it, and import it into a new data folder")

// fault returns err as what a caller of the store gets: an answer as it is, and everything else as ErrUnavailable, with
// what could not be done and the cause.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, body.ErrTooLarge) {
		return fmt.Errorf("%w: %w", mailstore.ErrTooLarge, err)
	}
	for _, a := range answers {
		if errors.Is(err, a) {
			return err
		}
	}
	return fmt.Errorf("%w: could not %s: %w", mailstore.ErrUnavailable, op, err)
}

// maxID is the highest id of a maildrop: locks are octets of files, and offsets of files end there.
const maxID = 1<<62 - 1

func checkID(id mailstore.DropID) error {
	if id < 1 || id > maxID {
		return fmt.Errorf("sqlstore: %d is no id of a maildrop: they go from 1 up", id)
	}
	return nil
}
