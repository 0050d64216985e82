package body

import (
	"context"
	"errors"
	"io"
	"time"
)

// A Store keeps bodies. Its methods may be called concurrently, also by several processes on one machine.
type Store interface {
	// Create starts a new body.
	Create(ctx context.Context) (Writer, error)
	// Open opens a body for reading and returns its octets. octets is the size it ought to have, without which the end of
	// one in a bundle cannot be known; if there are fewer or, of one that is alone, more, that shows in the size returned,
	// and if what there is in a bundle does not end as a body does, it is ErrSize.
	// On disk a body of MaxLoad octets or more is an *os.File at its start. A body that is not there is an error that wraps
	// fs.ErrNotExist.
	Open(ctx context.Context, id ID, octets int64) (io.ReadCloser, int64, error)
	// Load reads a body of fewer than MaxLoad octets into memory, for less than Open and reading cost. octets is the size
	// it must have; another one is ErrSize. Errors are those of Open.
	Load(ctx context.Context, id ID, octets int64) (*Loaded, error)
	// Remove removes a body, and those that share its file. One that is not there is no error.
	Remove(ctx context.Context, id ID) error
	// Release gives back the room of a body with so many octets to which nothing refers any more. It removes one that is
	// alone; of a bundle the others stay, and the file too, until Remove.
	Release(ctx context.Context, id ID, octets int64) error
	// Walk calls fn for every file, finished or not, in no particular order. Files that come or go meanwhile may or may
	// not show. An error of fn ends the walk and is returned.
	Walk(ctx context.Context, fn func(Entry) error) error
	// Close releases what the store holds. Nothing else may be called after it, except on open bodies.
	Close() error
}

// A Writer takes in one body. It is used by one goroutine.
type Writer interface {
	// Write takes octets as they came, with any line ends. It takes all of p or returns an error, which is final.
	io.Writer
	// Finish makes the body durable, content and name, and returns its ID and facts: it is there after a crash of process
	// and machine. Calls at the same time share the work. After an error nothing is left of the body.
	Finish() (ID, Facts, error)
	// Abort gives the body up and removes what was written. After Finish it does nothing.
	Abort()
}

// An Entry is one file that Walk found.
type Entry struct {
	// ID has place 0: it is that of the body, or what those of all bodies of a bundle have in common.
	ID     ID
	Octets int64
	// Modified is when it was last written to.
	Modified time.Time
}

// ErrTooLarge says that a body has more octets than the store takes.
var ErrTooLarge = errors.New("body: message is too large")

// errDone is for a Writer that is used after its end.
var errDone = errors.New("body: written to after Finish or Abort")
