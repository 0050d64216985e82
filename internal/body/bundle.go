package body

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

// maxBundled is how many bodies a bundle may have. Below MaxLoad octets each, they fit the place of an ID, and keep down
// what one that stays can keep of those that go.
const maxBundled = 64

// A bundler stores small bodies. While one file is being made durable those that come gather, and go into the next file
// together: so they share the work of the disk, which is what a small body costs. One that comes alone has a file alone.
type bundler struct {
	writing chan struct{} // has one element while a file is written

	mu   sync.Mutex
	next *bundle // takes in members; nil if there is none
}

// A bundle is bodies that go into one file.
type bundle struct {
	members []bundled
	done    chan struct{} // closed when ids and errs of the members are set
}

type bundled struct {
	octets []byte // the stored form, valid until done
	id     ID
	err    error
}

// join adds a body to the bundle that is gathering and returns its number in it, and whether it is the first, whose
// business it is to have the bundle stored.
func (b *bundler) join(octets []byte) (to *bundle, i int, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	to = b.next
	if to == nil || len(to.members) == maxBundled {
		to, first = &bundle{done: make(chan struct{})}, true
		b.next = to
	}
	to.members = append(to.members, bundled{octets: octets})
	return to, len(to.members) - 1, first
}

// storeSmall stores a body durably, with its name, perhaps together with others.
func (d *Disk) storeSmall(octets []byte) (ID, error) {
	if len(octets) == 0 {
		return d.storeFile(bundled{}) // in a bundle it would have the place of the one behind it
	}
	to, i, first := d.bundles.join(octets)
	if first {
		d.lead(to)
	} else {
		<-to.done
	}
	return to.members[i].id, to.members[i].err
}

// errEnded is what those get who waited for somebody whose work ended in a panic.
var errEnded = errors.New("body: whoever made it durable was ended")

// lead has a bundle stored when its turn comes. The others are let go whatever happens: a caller may survive a panic.
func (d *Disk) lead(b *bundle) {
	d.bundles.writing <- struct{}{}
	defer func() { <-d.bundles.writing }()
	runtime.Gosched() // others may be about to join
	d.bundles.mu.Lock()
	if d.bundles.next == b {
		d.bundles.next = nil
	}
	d.bundles.mu.Unlock()
	for i := range b.members {
		b.members[i].err = errEnded
	}
	defer close(b.done)
	d.storeBundle(b)
}

// storeBundle stores the members in one file. Where that fails each is tried alone, so that one that finds no room does
// not take the others with it. It does not go on where room is not what is missing: a disk that fails may take its time
// to say so, and all wait.
func (d *Disk) storeBundle(b *bundle) {
	if len(b.members) > 1 {
		if file, err := d.storeFile(b.members...); err == nil {
			at := 0
			for i := range b.members {
				m := &b.members[i]
				m.id, m.err = file.bundled(at), nil
				at += len(m.octets)
			}
			return
		}
	}
	var failed error
	for i := range b.members {
		m := &b.members[i]
		if m.err = failed; failed == nil {
			m.id, m.err = d.storeFile(*m)
		}
		if m.err != nil && !isFull(m.err) {
			failed = m.err
		}
	}
}

// isFull reports whether a smaller file may find room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// storeFile writes a file and makes it durable, with its name. It leaves nothing behind if it fails.
func (d *Disk) storeFile(members ...bundled) (ID, error) {
	id, f, err := d.createFile()
	if err != nil {
		return ID{}, err
	}
	for i := range members {
		if err = writeAll(f, members[i].octets); err != nil {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("body: writing %s: %w", id, err)
	} else if err = f.Sync(); err != nil {
		err = fmt.Errorf("body: making %s durable: %w", id, err)
	}
	if cerr := f.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("body: closing %s: %w", id, cerr)
	}
	if err == nil {
		err = d.syncName(id)
	}
	if err != nil {
		_ = d.fs.Remove(id.path()) // if the disk refuses, it stays until a sweep: nothing refers to it
		return ID{}, err
	}
	return id, nil
}
