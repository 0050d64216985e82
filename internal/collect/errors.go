package collect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrNoHeaders: the source cannot give headers alone.
	ErrNoHeaders = errors.New("collect: source cannot give headers alone")
	// ErrLocked: another run of this account is under way, in this process or another one.
	ErrLocked = errors.New("collect: this account is being fetched already")
)

// A TemporaryError may pass by itself: the message stays where it is and is tried again at the next run.
type TemporaryError struct{ Err error }

func (e *TemporaryError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TemporaryError) Unwrap() error { return e.Err }

// A BusyError says that the mailbox is in use, or that the last sign-in was too short a time ago. It is waited out.
type BusyError struct {
	Err error
	// After is how long to wait at least, 0 if the server did not say.
	After time.Duration
}

func (e *BusyError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *BusyError) Unwrap() error { return e.Err }

// A PermanentError needs a person: a wrong password, a certificate that does not fit.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PermanentError) Unwrap() error { return e.Err }

// A RefusedError says that the server refused to let us in without saying whose fault it is. Many servers answer so to a
// wrong password, and some to a right one when they are busy: it takes several in a row to call it permanent.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// A MessageError is about one message; the session goes on.
type MessageError struct {
	Num int
	Err error
}

func (e *MessageError) Error() string { return fmt.Sprintf("message %d: %v", e.Num, e.Err) }

// Unwrap returns the cause.
func (e *MessageError) Unwrap() error { return e.Err }

// A SinkError says which sink did not take a message, or why a run ended early.
type SinkError struct {
	Sink string
	Err  error
}

func (e *SinkError) Error() string {
	text := e.Err.Error()
	if strings.HasPrefix(text, e.Sink+": ") {
		return text
	}
	return e.Sink + ": " + text
}

// Unwrap returns the cause.
func (e *SinkError) Unwrap() error { return e.Err }

// A Class is what a failed run asks for.
type Class uint8

// Classes of failures.
const (
	// OK: no failure.
	OK Class = iota
	// Temporary: try again later, with back-off.
	Temporary
	// Busy: wait for the other session, or as long as the server says.
	Busy
	// Refused: temporary at first, permanent when it happens several times in a row.
	Refused
	// Permanent: a person must act.
	Permanent
	// Cancelled: we gave up ourselves.
	Cancelled
)

// String returns "ok", "temporary", "busy", "refused", "permanent" or "cancelled".
func (c Class) String() string {
	switch c {
	case OK:
		return "ok"
	case Temporary:
		return "temporary"
	case Busy:
		return "busy"
	case Refused:
		return "refused"
	case Permanent:
		return "permanent"
	case Cancelled:
		return "cancelled"
	}
	return "unknown"
}

// Classify says what err, the error of a run, asks for. What it does not know is Temporary.
func Classify(err error) Class {
	var (
		busy      *BusyError
		refused   *RefusedError
		permanent *PermanentError
		temporary *TemporaryError
	)
	switch {
	case err == nil:
		return OK
	case errors.Is(err, context.Canceled): // whatever else went wrong because of it
		return Cancelled
	case errors.As(err, &busy), errors.Is(err, ErrLocked):
		return Busy
	case errors.As(err, &temporary):
		return Temporary
	case errors.As(err, &permanent):
		return Permanent
	case errors.As(err, &refused):
		return Refused
	}
	return Temporary
}
