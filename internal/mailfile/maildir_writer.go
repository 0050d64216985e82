package mailfile

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A maildirWriter adds messages to a Maildir.
type maildirWriter struct {
	root *os.Root
	opt  WriterOptions
	out  *bufio.Writer
	have map[string]bool // unique parts of names, in cur and new
	mark string          // the names of this run's files in tmp begin with it

	waiting []waitingFile
	err     error // why files that waited are not in new, final
}

// A waitingFile is in tmp, written but not durable.
type waitingFile struct {
	f         *os.File
	uid       string
	tmp, name string
}

// maxWaiting is how many files are made durable together: at the same time they share the work of the disk.
const maxWaiting = 64

func createMaildir(dir string, opt WriterOptions) (*maildirWriter, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, missingParent(dir, err)
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := mustBeMaildir(root); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	w := &maildirWriter{root: root, opt: opt, have: make(map[string]bool), mark: rand.Text() + ".postamt", out: bufio.NewWriterSize(nil, lineBuffer)}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := root.Mkdir(sub, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, root.Close())
		}
	}
	for _, sub := range []string{"new", "cur"} {
		list, err := readFolder(root, sub)
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		for _, e := range list {
			w.have[uniquePart(e.Name())] = true
		}
	}
	return w, nil
}

// mustBeMaildir refuses a folder with other things in it: somebody's home is not to become a Maildir. An empty one may, and
// one whose making was cut off after its folder tmp.
func mustBeMaildir(root *os.Root) error {
	list, err := readFolder(root, ".")
	if err != nil {
		return err
	}
	other := false
	for _, e := range list {
		switch e.Name() {
		case "cur", "new":
			return nil
		case "tmp":
		default:
			other = true
		}
	}
	if other {
		return errNotMaildir
	}
	return nil
}

// missingParent says what to do when the folder that path is to be in is not there.
func missingParent(path string, err error) error {
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no folder %s, make it first: %w", parent, fs.ErrNotExist)
	}
	return err
}

// uniquePart returns what of a name in a Maildir stays when a mail reader changes flags.
func uniquePart(name string) string {
	if i := strings.IndexAny(name, ",:"); i >= 0 {
		name = name[:i]
	}
	return name
}

// maildirName returns the unique part of a message's name. It is the same at every export, because the unique-id and
// the time of receipt are.
func maildirName(m Outgoing) string {
	var b strings.Builder
	for _, c := range []byte(m.UID) {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	uid := b.String()
	if len(uid) > maxUIDName {
		digest := sha256.Sum256([]byte(m.UID))
		uid = "=x" + hex.EncodeToString(digest[:16]) // no octet is written so
	}
	return fmt.Sprintf("%d.%s.postamt", max(m.Received.Unix(), 0), uid)
}

// maxUIDName keeps names of files well below the 255 octets that file systems take.
const maxUIDName = 120

// Write puts the message under tmp. When enough are there, all are made durable, and only then moved to new: what is there
// is whole, also after a crash.
func (w *maildirWriter) Write(ctx context.Context, m Outgoing) (bool, error) {
	if w.root == nil {
		return false, errEnded
	}
	if err := errors.Join(w.err, ctx.Err(), m.check()); err != nil {
		return false, err
	}
	name := maildirName(m)
	if w.have[name] {
		return false, nil
	}
	tmp := fmt.Sprintf("tmp/%s.%d", w.mark, len(w.waiting))
	f, octets, err := w.writeFile(tmp, m)
	if err != nil {
		if err2 := w.root.Remove(tmp); err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			err = errors.Join(err, err2)
		}
		return false, fmt.Errorf("mailfile: writing message %s: %w", m.UID, err)
	}
	// S is the size of the file, W the size with CRLF.
	to := fmt.Sprintf("new/%s,S=%d,W=%d", name, octets, m.Size)
	w.waiting = append(w.waiting, waitingFile{f: f, uid: m.UID, tmp: tmp, name: to})
	w.have[name] = true
	if len(w.waiting) == maxWaiting {
		if err := w.settle(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// settle makes the files that wait durable and moves them to new.
func (w *maildirWriter) settle() error {
	errs := make([]error, len(w.waiting))
	var wg sync.WaitGroup
	for i, wf := range w.waiting {
		wg.Go(func() { errs[i] = errors.Join(wf.f.Sync(), wf.f.Close()) })
	}
	wg.Wait()
	for i, wf := range w.waiting {
		if errs[i] == nil {
			errs[i] = w.root.Rename(wf.tmp, wf.name)
		}
		if errs[i] != nil {
			_ = w.root.Remove(wf.tmp) // if it stays it does no harm: mail readers clear tmp
			err := fmt.Errorf("mailfile: writing message %s: %w", wf.uid, errs[i])
			w.err = cmp.Or(w.err, error(&FinalError{err}))
		}
	}
	w.waiting = w.waiting[:0]
	return w.err
}

// writeFile writes a file and leaves it open.
func (w *maildirWriter) writeFile(name string, m Outgoing) (*os.File, int64, error) {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	w.out.Reset(f)
	octets, err := m.copyBody(w.out, lineForm{lf: !w.opt.KeepCRLF})
	if err == nil {
		err = w.out.Flush()
	}
	if err == nil {
		err = w.root.Chtimes(name, m.Received, m.Received)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, octets, nil
}

// Close makes the names durable.
func (w *maildirWriter) Close() error {
	if w.root == nil {
		return errEnded
	}
	defer w.Abort()
	if err := w.settle(); err != nil {
		return err
	}
	for _, sub := range []string{"new", "."} {
		f, err := w.root.Open(sub)
		if err != nil {
			return fmt.Errorf("mailfile: %w", err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("mailfile: making the folder durable: %w", err)
		}
	}
	return nil
}

func (w *maildirWriter) Abort() {
	if w.root != nil {
		for _, wf := range w.waiting {
			_ = wf.f.Close()
			_ = w.root.Remove(wf.tmp)
		}
		w.waiting = nil
		_ = w.root.Close()
		w.root = nil
	}
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
