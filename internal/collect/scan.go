package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Scanner looks at whole messages before they go anywhere: for viruses, for spam. It may be used concurrently.
type Scanner interface {
	// Scan says what is to be done with a message, which may be read as often as need be until Scan returns. An error
	// means that nobody could tell: a *TemporaryError is about the scanner, any other about this message.
	Scan(ctx context.Context, letter Letter, message *io.SectionReader) (Finding, error)
}

// A Finding is the word of a Scanner.
type Finding struct {
	// Verdict is what to do: Fetch, Quarantine, Leave or Discard.
	Verdict Verdict
	// Fields are put before the message: header fields, each with CRLF at its end.
	Fields string
	// Why is a few words for people.
	Why string
}

// scan keeps a message on disk until the scanner has looked at it, then does what it says. rest is what comes behind start.
func (r *run) scan(ctx context.Context, it *item, letter Letter, start []byte, rest io.Reader, buf []byte) error {
	file, size, err := r.spool(start, rest, buf)
	var disk *spoolError
	switch {
	case errors.As(err, &disk):
		r.unbegin(it) // it says nothing about the message
		r.failing++
		return errors.Join(r.skipRest(rest, it, buf), &MessageError{it.Num, &TemporaryError{disk}})
	case err != nil:
		return err // the message was cut off
	}
	defer func() { _ = file.Close() }()
	r.step("scan")
	found, err := r.rules.Scan.Scan(ctx, letter, io.NewSectionReader(file, 0, size))
	if err != nil {
		var temporary *TemporaryError
		if errors.As(err, &temporary) || ctx.Err() != nil {
			r.unbegin(it)
			r.failing++
		}
		return &MessageError{it.Num, err}
	}
	sinks := r.account.Sinks
	switch found.Verdict {
	case Leave:
		r.leave(it)
		r.warn(fmt.Errorf("message %s stays at the server: %s", it.UID, found.Why))
		return nil
	case Discard:
		r.p.settle(it.entry, outcomeDiscarded)
		r.warn(fmt.Errorf("message %s is deleted: %s", it.UID, found.Why))
		return nil
	case Quarantine:
		sinks = r.rules.Quarantine
		if len(sinks) == 0 {
			return &MessageError{it.Num, errors.New("there is no quarantine to put the message into")}
		}
	case Fetch:
	}
	err = r.deliver(ctx, it, sinks, letter, []byte(found.Fields), io.NewSectionReader(file, 0, size), buf)
	if err == nil && found.Verdict == Quarantine {
		r.report.Quarantined++
		r.warn(fmt.Errorf("message %s is in quarantine: %s", it.UID, found.Why))
	}
	return err
}

// A spoolError is about our own disk, not about the source.
type spoolError struct{ err error }

func (e *spoolError) Error() string {
	return "no place to keep a message while it is looked at: " + e.err.Error()
}

// spool puts a message into a file without a name, which is gone whatever happens, and returns its size.
func (r *run) spool(start []byte, rest io.Reader, buf []byte) (_ *os.File, size int64, err error) {
	file, err := os.CreateTemp(r.opt.SpoolFolder, "scan-")
	if err != nil {
		return nil, 0, &spoolError{err}
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, 0, &spoolError{err}
	}
	if _, err := file.Write(start); err != nil {
		return nil, 0, &spoolError{err}
	}
	for size = int64(len(start)); ; {
		n, err := rest.Read(buf)
		if n > 0 {
			if _, err := file.Write(buf[:n]); err != nil {
				return nil, 0, &spoolError{err}
			}
			size += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return file, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}
