package mailstore

import (
	"errors"
	"fmt"
)

var (
	// ErrInUse: another session holds the maildrop's exclusive lock.
	ErrInUse = errors.New("mailstore: maildrop is in use")
	// ErrGone: the message was removed by somebody else.
	ErrGone = errors.New("mailstore: message is gone")
	// ErrRemoved: the maildrop itself was removed.
	ErrRemoved = errors.New("mailstore: maildrop was removed")
	// ErrReadOnly: the maildrop was opened for reading only.
	ErrReadOnly = errors.New("mailstore: maildrop is open for reading only")
	// ErrTooLarge: the message is larger than the store takes.
	ErrTooLarge = errors.New("mailstore: message is too large")
	// ErrUIDTaken: the unique-id was used in this maildrop before.
	ErrUIDTaken = errors.New("mailstore: unique-id was used before")
	// ErrUnavailable: the store cannot do it now and may later: disk full, read-only, I/O error. It wraps the cause.
	ErrUnavailable = errors.New("mailstore: store is not available")
)

// A CorruptError says that a message's body is missing or is not what was delivered. An operator must look.
type CorruptError struct {
	Drop   DropID
	UID    string
	Detail string
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("mailstore: message %s of maildrop %d is damaged: %s", e.UID, e.Drop, e.Detail)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
