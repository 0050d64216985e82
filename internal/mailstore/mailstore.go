package mailstore

import (
	"context"
	"io"
	"time"
)

// A DropID names a maildrop, from 1 up. It is the id of the account it belongs to, and never used again.
type DropID int64

// A Store keeps maildrops. Its methods may be called concurrently, also by several processes on one machine.
type Store interface {
	// Begin starts to take in one message, whoever it will be for.
	Begin(ctx context.Context, env Envelope) (Delivery, error)
	// Batch starts to take in several messages for one maildrop, to be stored together.
	Batch(to Recipient) Batch

	// Open opens a maildrop. Unless view.Shared is set it takes the exclusive lock, and returns ErrInUse at once when
	// another session has it. A maildrop to which nothing was ever delivered is empty, not an error.
	Open(ctx context.Context, id DropID, view View) (Drop, error)

	// Usage returns how much a maildrop holds, without its lock.
	Usage(ctx context.Context, id DropID) (Usage, error)

	// Deleted lists the messages that can be brought back, newest deletion first: those deleted at or after since (zero:
	// all) and not yet swept.
	Deleted(ctx context.Context, id DropID, since time.Time) ([]DeletedMessage, error)
	// Undelete brings back what Deleted lists, with the same unique-ids, and returns how many there were.
	Undelete(ctx context.Context, id DropID, since time.Time) (int, error)
	// Remove deletes a maildrop with all it holds, past undeleting. Its id is never used again.
	Remove(ctx context.Context, id DropID) error

	// Sweep removes for good what was deleted before the undelete window, and bodies that belong to nothing.
	Sweep(ctx context.Context) (SweepResult, error)
	// Check compares the catalog with the bodies. See CheckOptions.
	Check(ctx context.Context, opt CheckOptions) (Report, error)

	// Close releases everything the store holds. Nothing else may be called after it.
	Close() error
}

// MaxAddress is the most octets that the address of a sender or recipient may have, far above what SMTP allows for a path
// (RFC 5321 §4.5.3.1.3: 256).
const MaxAddress = 2000

// An Envelope is what is known of a message besides its octets.
type Envelope struct {
	// Sender is the reverse-path, empty for the null sender. At most MaxAddress octets.
	Sender string
	// Received is when the message came in; zero means now.
	Received time.Time
	// UID is the unique-id the message must have, for mail that moves here from elsewhere: 1 to 70 octets of 0x21 to
	// 0x7E. Empty means a new random one of 128 bits. One that the maildrop has ever used before is refused with
	// ErrUIDTaken.
	UID string
	// Key, if not empty, makes the delivery safe to repeat: a second message with the same key for the same maildrop is
	// not stored, and its Receipt says Duplicate, for as long as the maildrop lives. At most 200 octets.
	Key string
}

// A Delivery takes in one message. It is used by one goroutine.
type Delivery interface {
	// Write takes the message's octets as they came. The store keeps lines with CRLF: a bare LF becomes CRLF, a bare CR
	// stays an octet like any other, a missing last line end is added, NULs stay. ErrTooLarge, ErrUnavailable and other
	// errors are final for this delivery.
	io.Writer
	// Commit stores the message in every maildrop of to, durably, all or none, and returns one Receipt for each, in order.
	Commit(ctx context.Context, to []Recipient) ([]Receipt, error)
	// Abort gives the message up. After Commit it does nothing.
	Abort()
}

// MaxBatch is how many messages a Batch may have. Each of them may hold 64 KiB of memory and an open file until Commit.
const MaxBatch = 64

// A Batch takes in messages for one maildrop and stores them together, which costs the disk little more than one of them
// does. It is for mail that moves here in bulk: nobody waits for an answer to each message, and their order must stay, as
// it would not if they were deliveries at the same time. It is used by one goroutine; another Batch may be added to while
// one is in Commit.
type Batch interface {
	// Add takes in the next message: the octets of r up to its end. If the maildrop has one with the Key of env, r is not
	// read. Errors are those of Begin and Delivery.Write and, as they are, of r; after one the batch is what it was before.
	// More messages than MaxBatch are an error.
	Add(ctx context.Context, env Envelope, r io.Reader) error
	// Commit stores the messages durably, all or none, in the order of Add, and returns one Receipt for each. It ends the
	// batch.
	Commit(ctx context.Context) ([]Receipt, error)
	// Abort gives the messages up. After Commit it does nothing.
	Abort()
}

// A Recipient is one maildrop of a delivery.
type Recipient struct {
	Drop DropID
	// Address is the forward-path the message came for, for the catalog. At most MaxAddress octets.
	Address string
}

// A Receipt tells where a message went.
type Receipt struct {
	UID       string
	Octets    int64
	Duplicate bool // the maildrop had a message with this Key already; UID is that message's
}

// A View says which messages a session sees and how. The zero View is all messages, exclusively.
type View struct {
	// Shared opens without the exclusive lock, for reading only: Update returns ErrReadOnly.
	Shared bool
}

// A Drop is a snapshot of one maildrop: the messages that were there when it was opened, in delivery order, with indexes
// from 0. Later deliveries do not show. It is used by one goroutine.
type Drop interface {
	// Len, Octets, Size and AppendUID answer from memory and do not allocate (see pop3server.Listing).
	Len() int
	Octets() int64
	Size(i int) int64
	AppendUID(dst []byte, i int) []byte

	// Info returns what the catalog knows of message i.
	Info(ctx context.Context, i int) (Info, error)
	// Body opens message i. ErrGone: it was removed meanwhile. *CorruptError: its body is missing or not what it was.
	Body(ctx context.Context, i int) (Body, error)
	// Update deletes messages durably, all or none. Deleted ones can be undeleted for a time.
	Update(ctx context.Context, u Update) error
	// Close releases the lock. It removes nothing.
	Close() error
}

// An Update is what a session leaves behind, in ascending indexes.
type Update struct {
	Deleted   []int
	Retrieved []int
}

// A Body is an open message body: lines end with CRLF, not byte-stuffed.
type Body struct {
	// R reads it; the caller closes it. On a store of files that of a large message is an *os.File, at its start; that of
	// a small one, below some 64 KiB, is in memory and has the methods of a bytes.Reader.
	R io.ReadCloser
	// Size is the octets R gives.
	Size int64
	// Header is the octets up to and including the empty line; Size, if there is none.
	Header int64
	// Wire says that no line begins with a dot, so the octets can go out over POP3 verbatim.
	Wire bool
}

// Info is what the catalog knows of a message.
type Info struct {
	UID       string
	Size      int64
	Header    int64
	Wire      bool
	SHA256    [32]byte // of the stored octets
	Received  time.Time
	Sender    string
	Recipient string
}

// Usage is how much a maildrop holds.
type Usage struct {
	Messages int
	Octets   int64
	// Deleted messages and octets wait in the undelete window.
	DeletedMessages int
	DeletedOctets   int64
}

// A DeletedMessage can be brought back until Swept.
type DeletedMessage struct {
	Info    Info
	Deleted time.Time
	Until   time.Time
}

// A SweepResult is what a sweep removed.
type SweepResult struct {
	Messages int
	Bodies   int
	Octets   int64
}

// CheckOptions says what Check does.
type CheckOptions struct {
	// Repair mends what is safe to mend: packed listings are built anew, left-over files removed, facts that can be
	// computed again set right. What would lose mail is reported and left alone.
	Repair bool
	// Digests reads every body and compares its SHA-256 and facts; without it only presence and size are compared, but for
	// small bodies that share a file, whose size shows in nothing else.
	Digests bool
	// Progress, if set, is called now and then with messages done and in all.
	Progress func(done, total int)
}

// A Report is what Check found. Messages that are deleted and can be brought back are among those counted.
type Report struct {
	Drops    int
	Messages int
	Octets   int64
	// Problems are the first ones found, at most 10,000, and More the number of those that were found after them.
	Problems []Problem
	More     int
}

// A Problem is one thing that is not as it should be.
type Problem struct {
	Kind     ProblemKind
	Drop     DropID // 0 if it belongs to none
	UID      string // empty if it concerns no message
	Detail   string // one sentence
	Repaired bool
}

// A ProblemKind names what is wrong.
type ProblemKind string

// The kinds of problems.
const (
	ProblemBodyMissing  ProblemKind = "body-missing"  // the catalog knows it, the disk does not
	ProblemBodyDamaged  ProblemKind = "body-damaged"  // size or digest differ
	ProblemFactsWrong   ProblemKind = "facts-wrong"   // wire bit or header octets differ from the body
	ProblemOrphanBody   ProblemKind = "orphan-body"   // a body that no message refers to
	ProblemListingWrong ProblemKind = "listing-wrong" // a packed listing differs from the rows
	ProblemCatalog      ProblemKind = "catalog"       // the database's own check failed
)
