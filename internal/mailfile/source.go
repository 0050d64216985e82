package mailfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// A Format is a way in which files hold mail.
type Format string

// The formats.
const (
	// Mbox is one file of many messages: mboxrd, mboxo, mboxcl or mboxcl2.
	Mbox Format = "mbox"
	// Maildir is a folder with the folders cur and new, one file for each message.
	Maildir Format = "maildir"
	// EML is one file with one message, or a folder with such files, whose names end in .eml, also in folders below it.
	EML Format = "eml"
)

// A Source is an open mbox, Maildir or .eml. It is used by one goroutine.
type Source struct {
	octets   int64
	messages func(yield func(Message, error) bool)
	close    func() error
}

// Open opens a source. The file or folder at path must be there.
func Open(format Format, path string) (*Source, error) {
	var s *Source
	var err error
	switch format {
	case Mbox:
		s, err = openMbox(path)
	case Maildir:
		s, err = openMaildir(path)
	case EML:
		s, err = openEML(path)
	default:
		return nil, fmt.Errorf("mailfile: %q is not a format of mail files; there are mbox, maildir and eml", format)
	}
	if err != nil {
		return nil, fmt.Errorf("mailfile: cannot open %s as %s: %w", path, format, err)
	}
	return s, nil
}

// Octets returns the size of all there is to read, for a progress bar: the sum of Message.Octets at most.
func (s *Source) Octets() int64 { return s.octets }

// Messages goes through the source. A [*DamageError] concerns one message, or a part of the file that is none, and the
// rest follows; after any other error there is no more. It can be called again, and gives the same.
func (s *Source) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Message{}, err)
			return
		}
		s.messages(func(m Message, err error) bool {
			if !credible(m.Received) {
				m.Received = time.Time{}
			}
			if !yield(m, err) {
				return false
			}
			if err := ctx.Err(); err != nil {
				yield(Message{}, err)
				return false
			}
			return true
		})
	}
}

// Close closes the source. Its messages cannot be read after that.
func (s *Source) Close() error { return s.close() }

// A Message is one message of a source.
type Message struct {
	// File is where the message is, below the source's folder; the name of the mbox itself.
	File string
	// Ordinal is its number in the file, from 1.
	Ordinal int
	// Octets is how much of the source it takes up, for a progress bar. The message may have more or less.
	Octets int64
	// Received is when it came in, as far as the file tells; zero if it does not, or tells a year before 1970 or after 2200.
	Received time.Time
	// Sender is the reverse-path, as far as the file tells; empty if it does not, and for the null sender.
	Sender string

	open func() (io.ReadCloser, error)
}

// Open opens the message at its start, with the line ends it has in the file. The caller closes it.
func (m Message) Open() (io.ReadCloser, error) {
	r, err := m.open()
	if err != nil {
		return nil, &DamageError{File: m.File, Ordinal: m.Ordinal, Detail: "it cannot be opened", Err: err}
	}
	return r, nil
}

// A DamageError says that a message, or a part of a file, cannot be read as mail.
type DamageError struct {
	File    string
	Ordinal int // of the message in its file, 0 for a part that is none and for a file that cannot be read at all
	Detail  string
	Err     error // cause, or nil
}

func (e *DamageError) Error() string {
	text := "mailfile: " + e.File
	if e.Ordinal > 0 {
		text += fmt.Sprintf(", message %d", e.Ordinal)
	}
	text += ": " + e.Detail
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// errNotRegular is for folders, devices, pipes and symbolic links where a file should be.
var errNotRegular = errors.New("it is not a regular file")

// errNotMaildir is for a folder that has other things in it.
var errNotMaildir = errors.New("it has other files and neither cur nor new; name a new folder in it")

// errNotFolder is for anything else where a folder should be.
var errNotFolder = errors.New("it is not a folder")
