package mailfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An entry is one file with one message.
type entry struct {
	name     string // below the folder
	octets   int64
	modified time.Time
	received int64 // seconds since 1970, by the name; 0 if it does not tell
	err      error // why it cannot be read
}

// folderSource returns a source of one message for each entry, in their order.
func folderSource(root *os.Root, entries []entry) *Source {
	s := &Source{close: root.Close}
	for _, e := range entries {
		s.octets += e.octets
	}
	s.messages = func(yield func(Message, error) bool) {
		for _, e := range entries {
			m, err := e.message(root)
			if err != nil {
				err = &DamageError{File: e.name, Detail: "it cannot be read", Err: err}
			}
			if !yield(m, err) {
				return
			}
		}
	}
	return s
}

func (e entry) message(root *os.Root) (Message, error) {
	if e.err != nil {
		return Message{}, e.err
	}
	m := Message{File: e.name, Ordinal: 1, Octets: e.octets}
	m.open = func() (io.ReadCloser, error) { return openIn(root, e.name) }
	if e.received > 0 {
		m.Received = time.Unix(e.received, 0).UTC()
	}
	f, err := openIn(root, e.name)
	if err != nil {
		return Message{}, err
	}
	m.complete(readHeader(f))
	if m.Received.IsZero() {
		m.Received = e.modified.UTC()
	}
	return m, f.Close()
}

// openIn opens a file that must be one, inside root. It does not wait for a pipe that was put in its place.
func openIn(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return mustBeRegular(f)
}

// openRoot opens a folder. What is none is not opened: that would wait for the writer of a pipe.
func openRoot(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errNotFolder
	}
	return os.OpenRoot(dir)
}

// readFolder lists a folder of root, in order of names.
func readFolder(root *os.Root, name string) ([]fs.DirEntry, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", name, errNotFolder)
	}
	return fs.ReadDir(root.FS(), name)
}

func newEntry(name string, e fs.DirEntry) entry {
	out := entry{name: name}
	info, err := e.Info()
	switch {
	case err != nil:
		out.err = err
	case !info.Mode().IsRegular():
		out.err = errNotRegular
	default:
		out.octets, out.modified = info.Size(), info.ModTime()
	}
	return out
}

// openMaildir opens a Maildir. Sizes and flags in file names are not looked at, nor are its subfolders.
func openMaildir(dir string) (*Source, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	var entries []entry
	found := false
	for _, sub := range []string{"cur", "new"} {
		list, err := readFolder(root, sub)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		found = true
		for _, e := range list {
			if strings.HasPrefix(e.Name(), ".") {
				continue
			}
			en := newEntry(path.Join(sub, e.Name()), e)
			en.received = maildirTime(e.Name())
			entries = append(entries, en)
		}
	}
	if !found {
		return nil, errors.Join(errors.New("it has neither a folder cur nor a folder new"), root.Close())
	}
	// Oldest first, so that the store has them in the order in which they came.
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(path.Base(a.name), path.Base(b.name)))
	})
	return folderSource(root, entries), nil
}

// maildirTime reads the seconds that the name of a message in a Maildir begins with.
func maildirTime(name string) int64 {
	digits, _, ok := strings.Cut(name, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || n > 1<<40 {
		return 0
	}
	return n
}

// openEML opens one message, or a folder of them.
func openEML(name string) (*Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, errNotRegular
		}
		return openOne(name)
	}
	root, err := openRoot(name)
	if err != nil {
		return nil, err
	}
	var entries []entry
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			entries = append(entries, entry{name: name, err: err})
			return fs.SkipDir
		case !e.IsDir() && strings.EqualFold(path.Ext(name), ".eml"):
			entries = append(entries, newEntry(name, e))
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return folderSource(root, entries), nil
}

// openOne opens a file with one message. Here a symbolic link is followed: whoever named it meant it.
func openOne(name string) (*Source, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(filepath.Base(name))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("looking at it: %w", err), root.Close())
	}
	return folderSource(root, []entry{newEntry(filepath.Base(name), fs.FileInfoToDirEntry(info))}), nil
}
