package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailfile"
)

// A Maildir is a folder with the folders tmp, new and cur.
//
// The name of a message's file has a digest of its letter's key in it, so the letter is known again for as long as the
// file is in new or cur, with whatever flags. That is what makes the sink safe after a crash; while it is open it also
// remembers what was taken away since. A letter whose file was moved to another folder or deleted in the moment between
// a crash and the next run comes once more.
//
// The two folders are read once, at the first delivery, which takes about a second for a million messages; each of the
// collector's own messages then takes some 50 octets of memory.
type Maildir struct {
	dir  string
	crlf bool

	mu     sync.Mutex
	have   map[keyDigest]bool // nil before the first delivery
	closed bool
}

var _ collect.Sink = (*Maildir)(nil)

// MaildirOptions are how a Maildir is written. The zero value is what other programs on Unix expect.
type MaildirOptions struct {
	// CRLF keeps CRLF as line ends instead of LF.
	CRLF bool
}

// NewMaildir returns a sink that delivers to the Maildir dir. The folder is made at the first delivery if it is not
// there; the folder it is in must be.
func NewMaildir(dir string, opt MaildirOptions) (*Maildir, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	return &Maildir{dir: dir, crlf: opt.CRLF}, nil
}

// Name returns "maildir:" and the folder.
func (m *Maildir) Name() string { return "maildir:" + m.dir }

// Safe returns true.
func (m *Maildir) Safe() bool { return true }

// Close lets go of what the sink remembers. Deliveries that have begun can still be ended.
func (m *Maildir) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.have, m.closed = nil, true
	return nil
}

// A keyDigest stands for a letter's key in names of files and in journals.
type keyDigest [16]byte

func digestKey(key string) keyDigest {
	sum := sha256.Sum256([]byte(key))
	return keyDigest(sum[:16])
}

func (k keyDigest) String() string { return hex.EncodeToString(k[:]) }

// nameMark begins the part of a file's name that has the digest: "1795348800.K0123...ef.postamt,S=512,W=530:2,S".
const (
	nameMark = "K"
	nameEnd  = ".postamt"
)

// digestOf returns the digest in the name of a file that is one of ours.
func digestOf(name string) (k keyDigest, ok bool) {
	if i := strings.IndexAny(name, ",:"); i >= 0 {
		name = name[:i]
	}
	name, ok = strings.CutSuffix(name, nameEnd)
	if !ok {
		return k, false
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	digits, ok := strings.CutPrefix(name, nameMark)
	if !ok || len(digits) != 2*len(k) {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(digits))
	return k, err == nil
}

// Begin starts a delivery into tmp.
func (m *Maildir) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, temporary(err)
	}
	key := digestKey(letter.Key)
	there, err := m.has(key)
	if err != nil {
		return nil, m.fault("cannot be used", err)
	}
	d := &maildirDelivery{messageFile: messageFile{fault: m.fault}, sink: m, key: key, there: there, received: letter.Received}
	if there {
		d.out = io.Discard
		return d, nil
	}
	d.tmp = filepath.Join(m.dir, "tmp", nameMark+key.String()+nameEnd)
	if err := d.open(d.tmp, mailfile.LineForm{LF: !m.crlf}, nil); err != nil {
		return nil, err
	}
	return d, nil
}

func (m *Maildir) fault(what string, err error) error {
	return later(fmt.Sprintf("Maildir %s %s", m.dir, what), err)
}

// has says whether a letter is there already.
func (m *Maildir) has(key keyDigest) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, errEnded
	}
	if m.have == nil {
		have, err := m.read()
		if err != nil {
			return false, err
		}
		m.have = have
	}
	return m.have[key], nil
}

func (m *Maildir) remember(key keyDigest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.have != nil {
		m.have[key] = true
	}
}

// maxReads is how often cur is read again because something changed in it meanwhile.
const maxReads = 5

// read makes the folders that are missing, takes away what crashed deliveries left in tmp, and finds the letters.
func (m *Maildir) read() (map[keyDigest]bool, error) {
	for _, dir := range []string{m.dir, filepath.Join(m.dir, "tmp"), filepath.Join(m.dir, "new"), filepath.Join(m.dir, "cur")} {
		if err := makeFolder(dir); err != nil {
			return nil, err
		}
	}
	err := eachName(filepath.Join(m.dir, "tmp"), func(name string) {
		if _, ours := digestOf(name); ours {
			removeOwned(filepath.Join(m.dir, "tmp", name))
		}
	})
	if err != nil {
		return nil, err
	}
	have := make(map[keyDigest]bool)
	add := func(name string) {
		if k, ours := digestOf(name); ours {
			have[k] = true
		}
	}
	// First new, then cur: mail moves that way.
	if err := eachName(filepath.Join(m.dir, "new"), add); err != nil {
		return nil, err
	}
	cur := filepath.Join(m.dir, "cur")
	for range maxReads {
		before, err := os.Stat(cur)
		if err != nil {
			return nil, err
		}
		if err := eachName(cur, add); err != nil {
			return nil, err
		}
		// A file whose flags change while the folder is read may be missed.
		after, err := os.Stat(cur)
		if err != nil {
			return nil, err
		}
		if after.ModTime().Equal(before.ModTime()) {
			break
		}
	}
	return have, nil
}

// eachName calls fn for the names in a folder, without holding all of them.
func eachName(dir string, fn func(string)) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			fn(name)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errBusy: another process delivers the same letter at this moment.
var errBusy = errors.New("another process is delivering this message")

// createOwned makes a file that belongs to this process for as long as it is open. One that a dead process left behind is
// replaced.
func createOwned(path string) (*os.File, error) {
	for range 3 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				return nil, errors.Join(errBusy, f.Close()) // its remover is about to remove it
			}
			return f, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if !removeOwned(path) {
			return nil, errBusy
		}
	}
	return nil, errBusy
}

// removeOwned removes a file of createOwned, unless it belongs to somebody who lives.
func removeOwned(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	return os.Remove(path) == nil
}

type maildirDelivery struct {
	messageFile
	sink     *Maildir
	key      keyDigest
	there    bool // before this delivery
	received time.Time
	tmp      string // the path of the file, empty once it has another name
}

// Commit makes the file durable, then gives it its name, then makes that durable.
func (d *maildirDelivery) Commit(ctx context.Context) error {
	if d.out == nil {
		return errEnded
	}
	defer d.Abort()
	if err := ctx.Err(); err != nil {
		return temporary(err)
	}
	if d.there {
		// Whoever delivered it may have died before its name was durable, and a mail reader may have moved it.
		err := errors.Join(syncFolder(filepath.Join(d.sink.dir, "new")), syncFolder(filepath.Join(d.sink.dir, "cur")))
		return d.sink.fault("cannot be made durable", err)
	}
	err := errors.Join(d.lines.Flush(), d.buffer.Flush())
	if err == nil && !d.received.IsZero() {
		err = os.Chtimes(d.tmp, d.received, d.received)
	}
	if err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		return d.sink.fault("cannot take a message", err)
	}
	path := filepath.Join(d.sink.dir, "new", d.name())
	if err := os.Rename(d.tmp, path); err != nil {
		return d.sink.fault("cannot take a message", err)
	}
	d.tmp = ""
	if err := syncFolder(filepath.Dir(path)); err != nil {
		// A second sync of the same name may say nothing although it is not durable, so the next try begins anew.
		if os.Remove(path) != nil {
			d.sink.remember(d.key)
		}
		return d.sink.fault("cannot be made durable", err)
	}
	d.sink.remember(d.key)
	return nil
}

// name returns the name in new. S is the size of the file, W the one with CRLF line ends, as other programs write them.
func (d *maildirDelivery) name() string {
	seconds := max(d.received.Unix(), 0)
	if d.received.IsZero() {
		seconds = time.Now().Unix()
	}
	return fmt.Sprintf("%d.%s%s%s,S=%d,W=%d", seconds, nameMark, d.key, nameEnd, d.count.octets, d.count.octets+d.count.bare)
}

func (d *maildirDelivery) Abort() {
	d.out = nil
	if d.file == nil {
		return
	}
	if d.tmp != "" {
		_ = os.Remove(d.tmp) // a later delivery takes away what stays
	}
	_ = d.file.Close()
	d.file = nil
}
