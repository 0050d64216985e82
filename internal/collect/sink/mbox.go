package sink

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailfile"
)

// A Mbox is one file of many messages, in the form mboxrd.
//
// A message is first written to a file beside the mbox, so that the mbox is locked only while it grows, however slow the
// other server is. Then a journal beside the mbox, its name with ".postamt" at the end, is told the letter's key and where
// the message will begin; then the message is appended and the journal told that it is whole. Each step is durable before
// the next. After a crash the next delivery finds what was begun: a whole message counts as delivered, a torn one is cut
// off, provided that nobody has changed the file behind that point.
//
// The journal remembers every letter that was ever delivered, with 128 octets on disk and some 50 in memory. If it is
// deleted, a letter that is delivered again comes twice.
type Mbox struct {
	path string
	opt  MboxOptions

	mu      sync.Mutex // held while the mbox is locked
	journal *mboxJournal
	swept   bool
	closed  bool
}

var _ collect.Sink = (*Mbox)(nil)

// MboxOptions are how an mbox is written. The zero value is what other programs on Unix expect.
type MboxOptions struct {
	// CRLF keeps CRLF as line ends instead of LF.
	CRLF bool
	// LockTimeout is how long to wait for another program's lock on the mbox; 0 is 30 seconds.
	LockTimeout time.Duration
}

// DefaultLockTimeout is how long another program may keep an mbox locked.
const DefaultLockTimeout = 30 * time.Second

// NewMbox returns a sink that appends to the mbox at path. The file is made at the first delivery if it is not there; the
// folder it is in must be.
func NewMbox(path string, opt MboxOptions) (*Mbox, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	if opt.LockTimeout <= 0 {
		opt.LockTimeout = DefaultLockTimeout
	}
	return &Mbox{path: path, opt: opt}, nil
}

// Name returns "mbox:" and the file.
func (m *Mbox) Name() string { return "mbox:" + m.path }

// Safe returns true.
func (m *Mbox) Safe() bool { return true }

// Close closes the journal.
func (m *Mbox) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.journal == nil {
		return nil
	}
	err := m.journal.close()
	m.journal = nil
	return err
}

func (m *Mbox) fault(what string, err error) error {
	return later(fmt.Sprintf("mbox %s %s", m.path, what), err)
}

// spool is where a message waits until it is whole.
func (m *Mbox) spool(key keyDigest) string {
	return filepath.Join(filepath.Dir(m.path), "."+filepath.Base(m.path)+"."+nameMark+key.String()+nameEnd)
}

// Begin starts a delivery into a file beside the mbox.
func (m *Mbox) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	key := digestKey(letter.Key)
	d := &mboxDelivery{messageFile: messageFile{fault: m.fault}, sink: m, key: key, hash: sha256.New()}
	err := m.locked(ctx, func(*os.File) error {
		d.there = m.journal.have[key]
		return nil
	})
	if err != nil {
		return nil, m.fault("cannot be used", err)
	}
	if d.there {
		d.out = io.Discard
		return d, nil
	}
	if err := d.open(m.spool(key), mailfile.LineForm{Quote: true, LF: !m.opt.CRLF}, d.hash); err != nil {
		return nil, err
	}
	received := letter.Received
	if received.IsZero() {
		received = time.Now()
	}
	if _, err := io.WriteString(&d.count, mailfile.Separator(letter.Sender, received)+m.lineEnd()); err != nil {
		d.Abort()
		return nil, m.fault("cannot take a message", err)
	}
	return d, nil
}

func (m *Mbox) lineEnd() string {
	if m.opt.CRLF {
		return "\r\n"
	}
	return "\n"
}

// locked calls fn with the mbox locked and put right, and the journal read.
func (m *Mbox) locked(ctx context.Context, fn func(*os.File) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errEnded
	}
	f, err := openMbox(m.path)
	if err != nil {
		return err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, m.opt.LockTimeout)
	defer cancel()
	unlock, err := lockMbox(ctx, f, m.path)
	if err != nil {
		return err
	}
	defer unlock()
	if m.journal == nil {
		if m.journal, err = openJournal(m.path + nameEnd); err != nil {
			return err
		}
	}
	if err := m.journal.update(); err != nil {
		return err
	}
	if err := m.recover(f); err != nil {
		return err
	}
	if !m.swept {
		if err := m.sweep(); err != nil {
			return err
		}
		m.swept = true
	}
	return fn(f)
}

// openMbox opens the mbox, and makes it and its name durable if it is not there.
func openMbox(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = syncFolder(filepath.Dir(path))
		}
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

type mboxDelivery struct {
	messageFile
	sink  *Mbox
	key   keyDigest
	there bool // before this delivery
	hash  hash.Hash
}

// Commit appends the message to the mbox.
func (d *mboxDelivery) Commit(ctx context.Context) error {
	if d.out == nil {
		return errEnded
	}
	defer d.Abort()
	if err := ctx.Err(); err != nil {
		return temporary(err)
	}
	if d.there {
		return nil // the journal says so only of what is durable
	}
	if err := d.finish(); err != nil {
		return d.sink.fault("cannot take a message", err)
	}
	err := d.sink.locked(ctx, func(f *os.File) error {
		if d.sink.journal.have[d.key] {
			return nil
		}
		err := d.sink.appendSpool(f, d.file, entry{key: d.key, octets: d.count.octets, sum: [32]byte(d.hash.Sum(nil))})
		if err != nil && d.sink.journal.isOpen(d.key) {
			// What is torn could not be cut off. Whoever does that needs the whole message to see how far it goes.
			_ = d.file.Close()
			d.file = nil
		}
		return err
	})
	return d.sink.fault("cannot take a message", err)
}

// finish ends the message with an empty line and makes it durable where it waits.
func (d *mboxDelivery) finish() error {
	err := d.lines.Flush()
	if err == nil && d.count.last != '\n' {
		_, err = io.WriteString(&d.count, d.sink.lineEnd())
	}
	if err == nil {
		_, err = io.WriteString(&d.count, d.sink.lineEnd())
	}
	if err == nil {
		err = d.buffer.Flush()
	}
	if err == nil {
		err = d.file.Sync()
	}
	if err == nil {
		err = syncFolder(filepath.Dir(d.sink.path))
	}
	return err
}

func (d *mboxDelivery) Abort() {
	d.out = nil
	if d.file == nil {
		return
	}
	_ = os.Remove(d.file.Name()) // a later delivery of the letter takes away what stays
	_ = d.file.Close()
	d.file = nil
}
