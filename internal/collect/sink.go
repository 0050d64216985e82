package collect

import (
	"context"
	"io"
	"time"
)

// A Sink is where messages go: a maildrop here, a Maildir, an mbox, a program, another server.
type Sink interface {
	// Name says what it is, for people and for the journal: "store:bob", "maildir:/home/bob/Maildir".
	Name() string
	// Begin starts a delivery. Safe sinks use letter.Key so that the same letter is never there twice.
	Begin(ctx context.Context, letter Letter) (Delivery, error)
	// Safe reports whether a delivery that is repeated with the same Key has no effect. A sink that is not safe may be
	// given the one letter in flight twice after a crash.
	Safe() bool
	Close() error
}

// A Delivery takes in one message. It is used by one goroutine.
type Delivery interface {
	// Write takes octets with CRLF line ends.
	io.Writer
	// Commit returns nil only when the message is durable in the sink. A *TemporaryError: try again later. A
	// *PermanentError: the sink takes nothing until a person does something; the run ends with it, and the message is not
	// to blame. Any other error is the sink's final word on this message. The same goes for Begin and Write.
	Commit(ctx context.Context) error
	// Abort gives the delivery up; nothing of it is left. After Commit it does nothing.
	Abort()
}

// A Letter is what is known of a message besides its octets.
type Letter struct {
	// Key is the same each time this very message is delivered, at most 200 octets of 0x21 to 0x7E without a slash.
	Key      string
	Account  string // the collector's account, for trace lines and logs
	UID      string // at the source
	Sender   string // envelope sender if known, else empty
	Received time.Time
	// Date is when the message came to the source, or else what its Date field says; zero if neither is known.
	Date time.Time
	// Flags are the marks that it has at the source, as in Remote.
	Flags string
	// Again: it was tried before, and may be in the sink already, because that try did not come to its end.
	Again bool
	// Recipients are those of the envelope, if the source knows them apart from the header.
	Recipients []string
	// Header is the header with the empty line, as it came, at most its first 256 KiB. It is written, too; it may be read
	// until Begin returns.
	Header []byte
}
