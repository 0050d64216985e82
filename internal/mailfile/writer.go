package mailfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// An Outgoing is a message to be written.
type Outgoing struct {
	// UID is the message's unique-id: 1 to 70 octets of 0x21 to 0x7E. A Maildir is not given the same one twice.
	UID string
	// Received is when it came in.
	Received time.Time
	// Sender is the reverse-path, empty for the null sender.
	Sender string
	// Body is the message in stored form: lines end with CRLF. Size is its octets.
	Body io.Reader
	Size int64
}

// A Writer writes messages into files of mail. It is used by one goroutine.
type Writer interface {
	// Write writes one message. It is false if the message was there already. After a *FinalError nothing more can be
	// written, and it may concern messages before; any other error concerns this message, and the next may be tried.
	Write(ctx context.Context, m Outgoing) (bool, error)
	// Close makes durable what was written. Only after it returned nil is the export there for certain.
	Close() error
	// Abort gives up. What a Maildir got already stays there, but for the last few; an mbox does not come into being.
	// After Close it does nothing.
	Abort()
}

// A FinalError says that a Writer cannot go on.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FinalError) Unwrap() error { return e.Err }

// WriterOptions say how messages are written. The zero value is what other programs on Unix expect.
type WriterOptions struct {
	// KeepCRLF keeps CRLF as line ends instead of LF.
	KeepCRLF bool
}

// Create starts to write a Maildir or an mbox. A Maildir may be there already: messages with new unique-ids are added. An
// mbox must not.
func Create(format Format, path string, opt WriterOptions) (Writer, error) {
	var w Writer
	var err error
	switch format {
	case Maildir:
		w, err = createMaildir(path, opt)
	case Mbox:
		w, err = createMbox(path, opt)
	default:
		return nil, fmt.Errorf("mailfile: cannot write %q; there are maildir and mbox", format)
	}
	if err != nil {
		return nil, fmt.Errorf("mailfile: cannot write %s %s: %w", format, path, err)
	}
	return w, nil
}

// check refuses what would not fit into names of files.
func (m Outgoing) check() error {
	if len(m.UID) < 1 || len(m.UID) > 70 || strings.ContainsFunc(m.UID, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		return fmt.Errorf("mailfile: %.100q is not a unique-id", m.UID)
	}
	return nil
}

// copyBody writes the body of m to w and returns how much that was.
func (m Outgoing) copyBody(w io.Writer, form lineForm) (int64, error) {
	in := &countReader{r: m.Body}
	n, err := io.Copy(w, newLineFilter(in, form, m.Size))
	if err == nil && in.n != m.Size {
		err = fmt.Errorf("it has %d octets instead of %d", in.n, m.Size)
	}
	return n, err
}

// A countReader counts what it reads.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// errEnded is for a Writer that is used after its end.
var errEnded = errors.New("mailfile: written to after Close or Abort")
