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
	// Sync makes the names of finished bodies durable, each folder once. Bodies whose Sync returned nil are there after a
	// crash of process and machine. Concurrent calls share their work.
	Sync(ctx context.Context, ids []ID) error
	// Open opens a body for reading and returns its octets. On disk it is an *os.File at its start. A body that is not
	// there is an error that wraps fs.ErrNotExist.
	Open(ctx context.Context, id ID) (io.ReadCloser, int64, error)
	// Load reads a body of fewer than MaxLoad octets into memory, for less than Open and reading cost. octets is the size
	// it must have; another one is ErrSize. Errors are those of Open.
	Load(ctx context.Context, id ID, octets int64) (*Loaded, error)
	// Remove removes a body. One that is not there is no error.
	Remove(ctx context.Context, id ID) error
	// Walk calls fn for every body, finished or not, in no particular order. Bodies that come or go meanwhile may or may
	// not show. An error of fn ends the walk and is returned.
	Walk(ctx context.Context, fn func(Entry) error) error
	// Close releases what the store holds. Nothing else may be called after it, except on open bodies.
	Close() error
}

// A Writer takes in one body. It is used by one goroutine.
type Writer interface {
	// Write takes octets as they came, with any line ends. It takes all of p or returns an error, which is final.
	io.Writer
	// Finish makes the body's content durable and returns its name and facts. Call Store.Sync next. After an error
	// nothing is left of the body.
	Finish() (ID, Facts, error)
	// Abort gives the body up and removes what was written. After Finish it does nothing.
	Abort()
}

// An Entry is one body that Walk found.
type Entry struct {
	ID     ID
	Octets int64
	// Modified is when it was last written to.
	Modified time.Time
}

// ErrTooLarge says that a body has more octets than the store takes.
var ErrTooLarge = errors.New("body: message is too large")

// errDone is for a Writer that is used after its end.
var errDone = errors.New("body: written to after Finish or Abort")
