package collect

import (
	"context"
	"io"
)

// A Source is one mailbox on another server. Open signs in.
type Source interface {
	Open(ctx context.Context) (Session, error)
}

// A Session is an open mailbox. It is used by one goroutine.
type Session interface {
	// List returns the messages that are there, in the server's order. An error says nothing about what is there; an
	// empty list does not mean that anything was removed for good.
	List(ctx context.Context) ([]Remote, error)
	// Retrieve opens a message. The reader ends with io.EOF only if the server sent the whole message; it must be read to
	// its end or closed before the next call.
	Retrieve(ctx context.Context, m Remote) (io.ReadCloser, error)
	// Header opens the header (and the empty line) of a message. ErrNoHeaders: this source cannot.
	Header(ctx context.Context, m Remote) (io.ReadCloser, error)
	// Delete marks a message; it is removed when Finish succeeds.
	Delete(ctx context.Context, m Remote) error
	// Finish ends the session properly. Only nil means that what was marked is removed.
	Finish(ctx context.Context) error
	// Close drops the session; without Finish nothing is removed. It may be called after Finish.
	Close() error
}

// A Remote is a message in a listing.
type Remote struct {
	Num  int    // message-number of this session
	UID  string // unique-id; empty if the server gives none
	Size int64  // octets as the server says, which may be wrong
}
