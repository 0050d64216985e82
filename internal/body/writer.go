package body

import (
	"fmt"
	"io"
)

// A diskWriter is a Writer of a Disk.
type diskWriter struct {
	disk *Disk
	norm normalizer
	file File // nil until the first block
	id   ID
	err  error // final
}

func (w *diskWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if err := w.norm.write(p); err != nil {
		w.end(err)
		return 0, err
	}
	return len(p), nil
}

func (w *diskWriter) Finish() (ID, Facts, error) {
	if w.err != nil {
		return ID{}, Facts{}, w.err
	}
	facts, err := w.norm.finish()
	if err == nil {
		err = w.open() // the empty message has a file too
	}
	if err != nil {
		w.end(err)
		return ID{}, Facts{}, err
	}
	if err := w.file.Sync(); err != nil {
		err = fmt.Errorf("body: making %s durable: %w", w.id, err)
		w.end(err)
		return ID{}, Facts{}, err
	}
	err = w.file.Close()
	w.file = nil
	if err != nil {
		err = fmt.Errorf("body: closing %s: %w", w.id, err)
		w.remove()
		w.end(err)
		return ID{}, Facts{}, err
	}
	w.end(errDone)
	return w.id, facts, nil
}

func (w *diskWriter) Abort() {
	if w.err == nil {
		w.end(errDone)
	}
}

// end notes why the writer ended and leaves nothing behind of an unfinished body.
func (w *diskWriter) end(err error) {
	w.err = err
	w.norm.free()
	if w.file != nil {
		_ = w.file.Close() // what is in it does not matter any more
		w.file = nil
		w.remove()
	}
}

// remove takes the file away. If the disk refuses, it stays until a sweep: nothing refers to it.
func (w *diskWriter) remove() { _ = w.disk.fs.Remove(w.id.path()) }

func (w *diskWriter) open() error {
	if w.file != nil {
		return nil
	}
	id, f, err := w.disk.createFile()
	if err != nil {
		return err
	}
	w.id, w.file = id, f
	return nil
}

// diskFile is the side of a diskWriter that its normalizer writes to.
type diskFile diskWriter

func (f *diskFile) Write(p []byte) (int, error) {
	w := (*diskWriter)(f)
	if err := w.open(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, fmt.Errorf("body: writing %s: %w", w.id, err)
	}
	return n, nil
}
