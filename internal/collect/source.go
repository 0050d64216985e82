package collect

import (
	"context"
	"io"
	"time"
)

// A Source is one mailbox on another server. Open signs in. Its error should be one of the kinds in this package if that
// is what it is: a *TemporaryError, a *BusyError, a *PermanentError, a *RefusedError.
type Source interface {
	Open(ctx context.Context) (Session, error)
}

// A Session is an open mailbox. It is used by one goroutine. It may be a KeepAliver, too.
type Session interface {
	// Info says what is known of the server's rules.
	Info() SessionInfo
	// List returns the messages that are there, in the server's order. An error says nothing about what is there; an
	// empty list does not mean that anything was removed for good.
	List(ctx context.Context) ([]Remote, error)
	// Prepare is a hint: the next calls will be those of op for ms, in this order. A source that can sends the commands
	// ahead, so that they do not wait for a round trip each. It holds until another call is made or another hint given.
	// After Prepare with OpDelete the messages may be marked at once.
	Prepare(ctx context.Context, op Op, ms []Remote)
	// Retrieve opens a message. The reader ends with io.EOF only if the server sent the whole message; it must be read to
	// its end or closed before the next call. A *MessageError says that this message cannot be had and the session goes
	// on; after any other error, also of the reader, the session is over.
	Retrieve(ctx context.Context, m Remote) (io.ReadCloser, error)
	// Header opens the header (and the empty line) of a message, in the manner of Retrieve. ErrNoHeaders: this source
	// cannot.
	Header(ctx context.Context, m Remote) (io.ReadCloser, error)
	// Delete marks a message; it is removed when Finish succeeds. A *MessageError: it was refused.
	Delete(ctx context.Context, m Remote) error
	// Finish ends the session properly. Only nil means that what was marked is removed.
	Finish(ctx context.Context) error
	// Close drops the session; without Finish nothing is removed. It may be called after Finish.
	Close() error
}

// An Enveloper is a Session that can tell who sent a message to whom apart from its header. Envelope is called before
// Retrieve of the same message. sender is empty if it is not known, and so are recipients. A *MessageError says that this
// message cannot be had; after any other error the session is over.
type Enveloper interface {
	Envelope(ctx context.Context, m Remote) (sender string, recipients []string, err error)
}

// An Op is what Prepare announces.
type Op uint8

// What can be announced.
const (
	OpRetrieve Op = iota
	OpHeader
	OpDelete
)

// SessionInfo is what a server says about itself.
type SessionInfo struct {
	// LoginDelay is the shortest time between sign-ins that the server permits, 0 for none.
	LoginDelay time.Duration
	// Expires reports whether the server removes mail on its own, ExpireDays after how many days. With 0 days mail cannot
	// be left there: what was retrieved is removed when the session is finished.
	Expires    bool
	ExpireDays int
	// Protocol is the source's name in trace lines. Default: POP3.
	Protocol string
}

// A Remote is a message in a listing.
type Remote struct {
	Num  int    // message-number of this session
	UID  string // unique-id; empty if the server gives none
	Size int64  // octets as the server says, which may be wrong; -1 if it does not say
	// Date is when it came to the source, and Flags what it is marked with there, as IMAP writes them (`\Seen \Answered`);
	// zero and empty where the source knows no such thing.
	Date  time.Time
	Flags string
}
