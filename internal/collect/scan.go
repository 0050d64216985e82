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
	// means that nobody could tell: a *TemporaryError is about the scanner, and so is a *PermanentError, with which the run
	// ends; any other is about this message.
	Scan(ctx context.Context, letter Letter, message *io.SectionReader) (Finding, error)
}

// A ReadyScanner is a Scanner that can tell whether it is there. Ready is asked before a message is downloaded, unless Scan
// has just looked at the one before. An error: nobody is there; nothing is downloaded, and the run ends with it, as something
// that may pass unless it is a *PermanentError. Else a Scan that fails right afterwards counts against the message, also with
// a *TemporaryError, but not when a run ends early because it failed on several in a row.
type ReadyScanner interface {
	Ready(ctx context.Context) error
}

// maxFound bounds Finding.Fields and Finding.Why, each in octets.
const maxFound = 8 << 10

// A Finding is the word of a Scanner.
type Finding struct {
	// Verdict is what to do: Fetch, Quarantine, Leave or Discard.
	Verdict Verdict
	// Fields are put before the message: header fields, each with CRLF at its end, in all at most 8 KiB.
	Fields string
	// Why is a few words for people, at most 8 KiB.
	Why string
}

// ready asks the scanner whether it is there.
func (r *run) ready(ctx context.Context) error {
	s, ok := r.rules.Scan.(ReadyScanner)
	if !ok || r.scanning {
		return nil
	}
	if err := s.Ready(ctx); Classify(err) == Permanent {
		return err
	} else if err != nil {
		return &TemporaryError{err}
	}
	r.scanning = true
	return nil
}

// scan keeps a message on disk until the scanner has looked at it, then does what it says. rest is what comes behind start.
func (r *run) scan(ctx context.Context, it *item, letter Letter, start []byte, rest io.Reader, buf []byte) error {
	file, size, err := r.spool(start, rest, buf)
	var disk *spoolError
	switch {
	case errors.As(err, &disk):
		r.unbegin(it) // it says nothing about the message
		r.failing++
		return lost(&MessageError{it.Num, &TemporaryError{disk}}, r.skipRest(rest, it, buf))
	case err != nil:
		return err // the message was cut off
	}
	defer func() { _ = file.Close() }()
	r.step("scan")
	stop := keepAlive(ctx, r.p.session)
	found, err := r.rules.Scan.Scan(ctx, letter, io.NewSectionReader(file, 0, size))
	stop()
	if err == nil {
		r.stalled = nil
	}
	if _, ok := r.rules.Scan.(ReadyScanner); ok && err == nil {
		r.scanning = true
	}
	if err == nil && (len(found.Fields) > maxFound || len(found.Why) > maxFound) {
		err = fmt.Errorf("the scanner has more to say than %d octets", maxFound)
	}
	if err != nil {
		r.scanFailed(ctx, it, err)
		return &MessageError{it.Num, err}
	}
	switch found.Verdict {
	case Leave:
		r.leave(it)
		r.warn(fmt.Errorf("message %s stays at the server: %s", it.UID, found.Why))
		return nil
	case Discard:
		r.p.settle(it.entry, outcomeDiscarded)
		r.warn(fmt.Errorf("message %s is deleted: %s", it.UID, found.Why))
		return nil
	case Fetch, Quarantine:
	}
	it.found = &found
	return r.deliverFound(ctx, it, &found, letter, []byte(found.Fields), io.NewSectionReader(file, 0, size), buf)
}

// scanFailed takes the attempt back, unless the scanner was there and failed on this very message, and not on the next ones,
// too.
func (r *run) scanFailed(ctx context.Context, it *item, err error) {
	there := r.scanning
	r.scanning = false // it will be asked
	if Classify(err) == Permanent {
		r.unbegin(it)
		r.closed = err
		return
	}
	var temporary *TemporaryError
	if !errors.As(err, &temporary) && ctx.Err() == nil {
		return // its last word
	}
	r.failing++
	if !there || ctx.Err() != nil {
		r.unbegin(it)
		return
	}
	r.stalled = append(r.stalled, it)
}

// deliverFound delivers a message to where a scanner wants it.
func (r *run) deliverFound(ctx context.Context, it *item, f *Finding, letter Letter, start []byte, rest io.Reader, buf []byte) error {
	if f.Verdict != Quarantine {
		return r.deliver(ctx, it, r.account.Sinks, letter, start, rest, buf)
	}
	if len(r.rules.Quarantine) == 0 {
		return &MessageError{it.Num, errors.New("a scanner wants the message in quarantine, and there is none: name one, at least until the message is there")}
	}
	err := r.deliver(ctx, it, r.rules.Quarantine, letter, start, rest, buf)
	if err == nil {
		r.report.Quarantined++
		r.warn(fmt.Errorf("message %s is in quarantine: %s", it.UID, f.Why))
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
