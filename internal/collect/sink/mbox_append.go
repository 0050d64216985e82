package sink

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// appendSpool copies a message that is whole and durable to the end of the mbox. The mbox is locked.
func (m *Mbox) appendSpool(f, spool *os.File, e entry) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	e.start = info.Size()
	// Another program may have left the mbox without an empty line at its end.
	lead, err := missingEnd(f, e.start, m.lineEnd())
	if err != nil {
		return err
	}
	e.lead = int64(len(lead))
	i, err := m.journal.begin(e)
	if err != nil {
		return err
	}
	if len(lead) > 0 {
		_, err = f.WriteAt(lead, e.start)
	}
	if err == nil {
		_, err = io.Copy(io.NewOffsetWriter(f, e.start+e.lead), io.NewSectionReader(spool, 0, e.octets))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		if err2 := errors.Join(f.Truncate(e.start), f.Sync()); err2 != nil {
			return errors.Join(err, err2) // the next delivery tries to put it right
		}
		return errors.Join(err, m.journal.end(i, stateGone))
	}
	return m.journal.end(i, stateDone)
}

// missingEnd returns what is missing at the end of the mbox before a message can begin.
func missingEnd(f *os.File, size int64, lineEnd string) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	buf := make([]byte, min(size, 4))
	if _, err := f.ReadAt(buf, size-int64(len(buf))); err != nil {
		return nil, err
	}
	tail := bytes.ReplaceAll(buf, []byte("\r\n"), []byte("\n"))
	switch {
	case bytes.HasSuffix(tail, []byte("\n\n")) || string(tail) == "\n":
		return nil, nil
	case bytes.HasSuffix(tail, []byte("\n")):
		return []byte(lineEnd), nil
	default:
		return []byte(lineEnd + lineEnd), nil
	}
}

// recover ends what a crash has left half done. The mbox is locked.
func (m *Mbox) recover(f *os.File) error {
	for _, i := range m.journal.pending() {
		e := m.journal.at(i)
		whole, err := holds(f, e)
		if err != nil {
			return err
		}
		if whole {
			if err := f.Sync(); err != nil {
				return err
			}
			if err := m.journal.end(i, stateDone); err != nil {
				return err
			}
			removeOwned(m.spool(e.key))
			continue
		}
		torn, err := m.torn(f, e)
		if err != nil {
			return err
		}
		if torn {
			if err := errors.Join(f.Truncate(e.start), f.Sync()); err != nil {
				return err
			}
		}
		if err := m.journal.end(i, stateGone); err != nil {
			return err
		}
		removeOwned(m.spool(e.key))
	}
	return nil
}

// holds says whether the mbox has the whole message where the journal says.
func holds(f *os.File, e entry) (bool, error) {
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(f, e.start+e.lead, e.octets))
	return n == e.octets && [32]byte(h.Sum(nil)) == e.sum, err
}

// torn says whether everything in the mbox from where the message should begin is the beginning of that message, as far
// as anybody can tell: then nobody else has written there.
func (m *Mbox) torn(f *os.File, e entry) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() <= e.start || info.Size() > e.start+e.lead+e.octets {
		return false, err
	}
	spool, err := os.Open(m.spool(e.key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer spool.Close()
	want := io.MultiReader(bytes.NewReader(bytes.Repeat([]byte(m.lineEnd()), int(e.lead))[:e.lead]), spool)
	got := io.NewSectionReader(f, e.start, info.Size()-e.start)
	a, b := make([]byte, blocks), make([]byte, blocks)
	for {
		n, err := got.Read(a)
		if n > 0 {
			if _, err := io.ReadFull(want, b[:n]); err != nil {
				return false, nil // shorter than it was: not what was appended
			}
			// After a stop of the machine, octets that did not reach the disk read as NULs.
			for k, c := range a[:n] {
				if c != b[k] && c != 0 {
					return false, nil
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// sweep removes what crashed deliveries left beside the mbox. It is for after recover, which needs it.
func (m *Mbox) sweep() error {
	dir := filepath.Dir(m.path)
	prefix := "." + filepath.Base(m.path) + "."
	return eachName(dir, func(name string) {
		rest, ok := strings.CutPrefix(name, prefix)
		if _, ours := digestOf(rest); ok && ours {
			removeOwned(filepath.Join(dir, name))
		}
	})
}
