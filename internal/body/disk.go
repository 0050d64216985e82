package body

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Options are settings of a [Disk]. The zero value is usable.
type Options struct {
	// MaxOctets is the most octets that a body may have, 0 for any number.
	MaxOctets int64
	// Now is the clock, nil for time.Now.
	Now func() time.Time
	// Random is where ids come from, nil for crypto/rand.
	Random io.Reader
}

// A Disk is a Store of files.
type Disk struct {
	fs      FS
	opt     Options
	syncs   syncer
	bundles bundler
}

var _ Store = (*Disk)(nil)

// NewDisk returns a store of the bodies in fsys, usually that of [Dir].
func NewDisk(fsys FS, opt Options) *Disk {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	return &Disk{fs: fsys, opt: opt, syncs: newSyncer(fsys), bundles: bundler{writing: make(chan struct{}, 1)}}
}

// Create starts a new body. Nothing is on the disk before its first block is full or it is finished, so a message that is
// given up early costs the disk nothing.
func (d *Disk) Create(ctx context.Context) (Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &diskWriter{disk: d}
	w.norm = newNormalizer((*diskFile)(w), d.opt.MaxOctets)
	return w, nil
}

// createFile makes a new file, and its folders where they are missing.
func (d *Disk) createFile() (ID, File, error) {
	const attempts = 8 // a taken name or a folder that was just swept is bad luck; more of it is something else
	var last error
	for range attempts {
		id, err := newID(d.opt.Now(), d.opt.Random)
		if err != nil {
			return ID{}, nil, err
		}
		f, err := d.fs.OpenFile(id.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			if err = d.makeFolders(id.folder()); err == nil {
				f, err = d.fs.OpenFile(id.path(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			}
		}
		if err == nil {
			return id, f, nil
		}
		last = err
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return ID{}, nil, fmt.Errorf("body: making a file: %w", last)
}

func (d *Disk) makeFolders(folder string) error {
	for _, name := range []string{folder[:outerDigits], folder} {
		err := d.fs.Mkdir(name, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err == nil {
			d.syncs.forget(name)
		}
	}
	return nil
}

// syncName makes the name of a file durable.
func (d *Disk) syncName(id ID) error {
	if err := d.syncs.sync(id.folder()); err != nil {
		return fmt.Errorf("body: making a folder durable: %w", err)
	}
	return nil
}

// Open opens a body for reading.
func (d *Disk) Open(ctx context.Context, id ID, octets int64) (io.ReadCloser, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if id.Bundled() {
		l, err := d.readBundled(id, octets)
		if err != nil {
			return nil, 0, err
		}
		return l, l.Size(), nil
	}
	f, err := d.fs.OpenFile(id.path(), os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("body: opening %s: %w", id, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is not a file (%v)", info.Mode())
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("body: opening %s: %w", id, err), f.Close())
	}
	return f, info.Size(), nil
}

// emptyAfter is how old an empty folder must be before Remove or Walk takes it away: far more than clocks go back by, so that
// nobody is about to put a body there.
const emptyAfter = 48 * time.Hour

// Remove removes a file, and its folder when that is old and empty.
func (d *Disk) Remove(ctx context.Context, id ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.fs.Remove(id.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("body: removing %s: %w", id, err)
	}
	if d.isOld(id.Time().Add(folderSpan)) {
		folder := id.folder()
		d.removeEmpty(folder, folder[:outerDigits])
	}
	return nil
}

// isOld reports whether bodies that came in until a time are so old that none comes in beside them any more.
func (d *Disk) isOld(until time.Time) bool { return d.opt.Now().Sub(until) >= emptyAfter }

// removeEmpty removes folders up to the first that is not empty, the usual case.
func (d *Disk) removeEmpty(names ...string) {
	for _, name := range names {
		if d.fs.Remove(name) != nil {
			return
		}
		d.syncs.forget(name)
	}
}

// Release removes the file of a body that is alone, and punches a hole into a bundle: first where its last octet is, for a
// hole comes into being from its beginning on while others read.
func (d *Disk) Release(ctx context.Context, id ID, octets int64) error {
	if !id.Bundled() {
		return d.Remove(ctx, id)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if octets < 1 || octets >= MaxLoad {
		return fmt.Errorf("body: giving back the room of %s: %w", id, ErrSize)
	}
	err := d.fs.Punch(id.path(), id.at()+octets-1, 1)
	if err == nil {
		err = d.fs.Punch(id.path(), id.at(), octets)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("body: giving back the room of %s: %w", id, err)
	}
	return nil
}

// Close does nothing: a Disk holds no files open.
func (d *Disk) Close() error { return nil }
