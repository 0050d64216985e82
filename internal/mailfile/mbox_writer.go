package mailfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A mboxWriter writes a new mbox, in the form mboxrd: under another name first, so that it is there whole or not at all.
type mboxWriter struct {
	path string
	opt  WriterOptions
	file *os.File // nil at the end
	out  *bufio.Writer
	at   int64 // where the next message begins
	err  error // final: the file could not be put right
}

func createMbox(path string, opt WriterOptions) (*mboxWriter, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := mustNotExist(path); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial") // mode 0600
	if err != nil {
		return nil, missingParent(path, err)
	}
	return &mboxWriter{path: path, opt: opt, file: f, out: bufio.NewWriterSize(f, lineBuffer)}, nil
}

func mustNotExist(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%w; name another file, or move this one away", fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// Write appends the message. When it fails the file is cut back to the messages before it.
func (w *mboxWriter) Write(ctx context.Context, m Outgoing) (bool, error) {
	if w.file == nil {
		return false, errEnded
	}
	if w.err != nil {
		return false, w.err
	}
	if err := errors.Join(ctx.Err(), m.check()); err != nil {
		return false, err
	}
	n, err := w.message(m)
	if err == nil {
		w.at += n
		return true, nil
	}
	err = fmt.Errorf("mailfile: writing message %s: %w", m.UID, err)
	w.out.Reset(w.file)
	_, seekErr := w.file.Seek(w.at, io.SeekStart)
	if w.err = errors.Join(w.file.Truncate(w.at), seekErr); w.err != nil {
		w.err = &FinalError{fmt.Errorf("mailfile: %s cannot be put right after an error: %w", w.path, w.err)}
	}
	return false, errors.Join(err, w.err)
}

func (w *mboxWriter) message(m Outgoing) (int64, error) {
	end := "\n"
	if w.opt.KeepCRLF {
		end = "\r\n"
	}
	head, err := w.out.WriteString(Separator(m.Sender, m.Received) + end)
	if err != nil {
		return 0, err
	}
	n, err := m.copyBody(w.out, lineForm{quote: true, lf: !w.opt.KeepCRLF})
	if err != nil {
		return 0, err
	}
	tail, err := w.out.WriteString(end)
	if err == nil {
		err = w.out.Flush()
	}
	return int64(head) + n + int64(tail), err
}

// Close makes the file durable and gives it its name.
func (w *mboxWriter) Close() error {
	if w.file == nil {
		return errEnded
	}
	defer w.Abort()
	if w.err != nil {
		return w.err
	}
	if err := errors.Join(w.out.Flush(), w.file.Sync()); err != nil {
		return fmt.Errorf("mailfile: writing %s: %w", w.path, err)
	}
	if err := mustNotExist(w.path); err != nil {
		return fmt.Errorf("mailfile: cannot write %s: %w", w.path, err)
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return fmt.Errorf("mailfile: %w", err)
	}
	if err := syncFolder(filepath.Dir(w.path)); err != nil {
		return fmt.Errorf("mailfile: making the name %s durable: %w", w.path, err)
	}
	return nil
}

func (w *mboxWriter) Abort() {
	if w.file != nil {
		_ = os.Remove(w.file.Name()) // gone already if it was renamed
		_ = w.file.Close()
		w.file = nil
	}
}
