package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
)

// A FetchKey is a key of a [[fetch]] to be written.
type FetchKey struct {
	Key string
	// Value is a string, a []string or a bool.
	Value any
	// Note is a comment behind it, one line, or empty.
	Note string
	// Off writes the key as a comment, for people to turn on.
	Off bool
}

// FetchText returns a [[fetch]] as it stands in a configuration file, with comments above it. It is not checked.
func FetchText(comments []string, keys []FetchKey) string {
	var b strings.Builder
	for _, c := range comments {
		b.WriteString(strings.TrimRight("# "+commentLine(c), " ") + "\n")
	}
	b.WriteString("[[fetch]]\n")
	for _, k := range keys {
		if k.Off {
			b.WriteString("# ")
		}
		fmt.Fprintf(&b, "%s = %s", k.Key, literal(reflect.ValueOf(k.Value)))
		if k.Note != "" {
			b.WriteString(" # " + commentLine(k.Note))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// commentLine makes one line of what may come from a server.
func commentLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}

// A FetchAddition is a [[fetch]] that can be added to a configuration file. Everything else in the file stays as it is,
// octet by octet.
type FetchAddition struct {
	// Path is the file, absolute; symbolic links are followed.
	Path string
	// New says that there is no such file yet.
	New bool
	// Warnings are what is unwise in the file with the addition.
	Warnings []Problem

	old, new []byte
}

// PlanFetch checks how the file would be with section (from FetchText) at its end. A file that is not there is taken for
// an empty one. It fails with an *Error if the file is wrong without or with the section, and writes nothing.
func PlanFetch(path, section string) (*FetchAddition, error) {
	return machine().planFetch(path, section)
}

func (h host) planFetch(path, section string) (*FetchAddition, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	a := &FetchAddition{Path: abs}
	switch target, err := filepath.EvalSymlinks(abs); {
	case err == nil:
		a.Path = target
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(abs); err == nil {
			return nil, fileError(path, errors.New("is a link to nowhere, remove it or make its target"))
		}
		if fi, err := os.Stat(filepath.Dir(abs)); err != nil || !fi.IsDir() {
			return nil, fileError(path, errors.New("is in a folder that does not exist, make the folder first"))
		}
		a.New = true
	default:
		return nil, fileError(path, err)
	}
	if !a.New {
		if a.old, err = readFile(a.Path); err != nil {
			return nil, fileError(path, err)
		}
	}
	before, err := Parse(path, a.old)
	if err != nil {
		return nil, err
	}
	a.new = appendSection(a.old, section)
	after, err := Parse(path, a.new)
	if err != nil {
		return nil, err
	}
	a.Warnings = after.Warnings
	added := len(after.Fetch) - 1
	if added != len(before.Fetch) {
		return nil, fileError(path, errors.New("would not have one account more than before, add the [[fetch]] by hand"))
	}
	rest := after.Config
	rest.Fetch = rest.Fetch[:added:added]
	if len(rest.Fetch) == 0 {
		rest.Fetch = before.Fetch // nil or empty
	}
	if !reflect.DeepEqual(rest, before.Config) {
		return nil, fileError(path, errors.New("would change in other places, too: add the [[fetch]] by hand"))
	}
	// As Load does.
	if err := h.resolve(&after.Config, filepath.Dir(a.Path)); err != nil {
		return nil, fileError(path, err)
	}
	return a, after.checkFiles(path, a.new)
}

// appendSection puts the section at the end, an empty line before it, with the line ends of the file.
func appendSection(old []byte, section string) []byte {
	end := "\n"
	if i := bytes.IndexByte(old, '\n'); i > 0 && old[i-1] == '\r' {
		end = "\r\n"
		section = strings.ReplaceAll(section, "\n", end)
	}
	text := bytes.Clone(old)
	if len(text) > 0 {
		if text[len(text)-1] != '\n' {
			text = append(text, end...)
		}
		text = append(text, end...)
	}
	return append(text, section...)
}

// Diff returns what is added in the manner of diff -u.
func (a *FetchAddition) Diff() string {
	var b strings.Builder
	from, at := a.Path, bytes.Count(a.old, []byte("\n"))
	if a.New {
		from = "/dev/null"
	}
	added := a.new[len(a.old):]
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", from, a.Path)
	if n := len(a.old); n > 0 && a.old[n-1] != '\n' {
		last := a.old[bytes.LastIndexByte(a.old, '\n')+1:]
		added = added[bytes.IndexByte(added, '\n')+1:]
		fmt.Fprintf(&b, "@@ -%d +%d,%d @@\n-%s\n\\ No newline at end of file\n+%[4]s\n", at+1, at+1, bytes.Count(added, []byte("\n"))+1, last)
	} else {
		fmt.Fprintf(&b, "@@ -%d,0 +%d,%d @@\n", at, at+1, bytes.Count(added, []byte("\n")))
	}
	for line := range strings.Lines(string(added)) {
		b.WriteString("+" + strings.TrimRight(line, "\r\n") + "\n")
	}
	return b.String()
}

// Write puts the file in place, durably and all at once: after a crash it is the old or the new one. Mode and owner stay.
// A file that has changed since PlanFetch is left alone.
func (a *FetchAddition) Write() (err error) {
	dir, err := os.Open(filepath.Dir(a.Path))
	if err != nil {
		return fileError(a.Path, err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fileError(a.Path, errors.New("is being changed by another postamt, try again"))
	}
	defer func() { _ = syscall.Flock(int(dir.Fd()), syscall.LOCK_UN) }()
	mode, owner := fs.FileMode(0o644), (*syscall.Stat_t)(nil)
	fi, err := os.Lstat(a.Path)
	switch {
	case a.New && errors.Is(err, fs.ErrNotExist):
	case a.New && err == nil:
		return fileError(a.Path, errors.New("has appeared in the meantime, try again"))
	case err != nil:
		return fileError(a.Path, err)
	default:
		now, err := readFile(a.Path)
		if err != nil {
			return fileError(a.Path, err)
		}
		if !bytes.Equal(now, a.old) {
			return fileError(a.Path, errors.New("has been changed in the meantime, try again"))
		}
		mode = fi.Mode().Perm()
		owner, _ = fi.Sys().(*syscall.Stat_t)
	}
	if err := a.replace(mode, owner); err != nil {
		return writeError(a.Path, err)
	}
	if err := dir.Sync(); err != nil {
		return writeError(a.Path, err)
	}
	return nil
}

// replace writes a file beside the old one and renames it.
func (a *FetchAddition) replace(mode fs.FileMode, owner *syscall.Stat_t) (err error) {
	f, err := os.CreateTemp(filepath.Dir(a.Path), "."+filepath.Base(a.Path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(a.new)
	if err == nil && owner != nil && (int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid()) {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		err = f.Chmod(mode) // after Chown, which takes bits away
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), a.Path)
}

func writeError(path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fileError(path, fmt.Errorf("cannot be written: %w", err))
}
