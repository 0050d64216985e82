package body

import (
	"fmt"
	"io"
)

// A diskWriter is a Writer of a Disk. A body that fits into the normalizer's block stays there until the end and is stored
// by the bundler; of a larger one the first block opens a file.
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
	facts, err := w.finish()
	if err != nil {
		w.end(err)
		return ID{}, Facts{}, err
	}
	w.end(errDone)
	return w.id, facts, nil
}

func (w *diskWriter) finish() (Facts, error) {
	if err := w.norm.endLine(); err != nil {
		return Facts{}, err
	}
	if w.file == nil {
		var err error
		w.id, err = w.disk.storeSmall(w.norm.rest())
		return w.norm.facts(), err
	}
	if err := w.norm.flush(); err != nil {
		return Facts{}, err
	}
	if err := w.file.Sync(); err != nil {
		return Facts{}, fmt.Errorf("body: making %s durable: %w", w.id, err)
	}
	err := w.file.Close()
	w.file = nil
	if err != nil {
		err = fmt.Errorf("body: closing %s: %w", w.id, err)
	} else {
		err = w.disk.syncName(w.id)
	}
	if err != nil {
		w.remove()
	}
	return w.norm.facts(), err
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

// diskFile is the side of a diskWriter that its normalizer writes to.
type diskFile diskWriter

func (f *diskFile) Write(p []byte) (int, error) {
	w := (*diskWriter)(f)
	if w.file == nil {
		id, file, err := w.disk.createFile()
		if err != nil {
			return 0, err
		}
		w.id, w.file = id, file
	}
	if err := writeAll(w.file, p); err != nil {
		return 0, fmt.Errorf("body: writing %s: %w", w.id, err)
	}
	return len(p), nil
}

func writeAll(f File, p []byte) error {
	n, err := f.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
