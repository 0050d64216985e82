package collect

import "errors"

// ErrNoHeaders: the source cannot give headers alone.
var ErrNoHeaders = errors.New("collect: source cannot give headers alone")

// A TemporaryError may pass by itself: the message stays where it is and is tried again at the next run.
type TemporaryError struct{ Err error }

func (e *TemporaryError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TemporaryError) Unwrap() error { return e.Err }
