package mailfile

import (
	"bufio"
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
)

// A maildirWriter adds messages to a Maildir.
type maildirWriter struct {
	root *os.Root
	opt  WriterOptions
	have map[string]bool // unique parts of names, in cur and new
	mark string          // the name of this run's file in tmp
}

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
	w := &maildirWriter{root: root, opt: opt, have: make(map[string]bool), mark: rand.Text() + ".postamt"}
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

// Write puts the message under tmp, makes its content durable, and moves it to new.
func (w *maildirWriter) Write(ctx context.Context, m Outgoing) (bool, error) {
	if w.root == nil {
		return false, errEnded
	}
	if err := errors.Join(ctx.Err(), m.check()); err != nil {
		return false, err
	}
	name := maildirName(m)
	if w.have[name] {
		return false, nil
	}
	tmp := "tmp/" + w.mark
	octets, err := w.writeFile(tmp, m)
	if err == nil {
		// S is the size of the file, W the size with CRLF.
		err = w.root.Rename(tmp, fmt.Sprintf("new/%s,S=%d,W=%d", name, octets, m.Size))
	}
	if err != nil {
		if err2 := w.root.Remove(tmp); err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			err = errors.Join(err, err2)
		}
		return false, fmt.Errorf("mailfile: writing message %s: %w", m.UID, err)
	}
	w.have[name] = true
	return true, nil
}

func (w *maildirWriter) writeFile(name string, m Outgoing) (int64, error) {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(f, lineBuffer)
	octets, err := m.copyBody(out, lineForm{lf: !w.opt.KeepCRLF})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return octets, err
	}
	return octets, w.root.Chtimes(name, m.Received, m.Received)
}

// Close makes the names durable.
func (w *maildirWriter) Close() error {
	if w.root == nil {
		return errEnded
	}
	defer w.Abort()
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
