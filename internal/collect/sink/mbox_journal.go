package sink

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A mboxJournal is a file of records of one length, one for each message that was to be appended to an mbox. It is used
// with the mbox locked. Several processes may have it open.
type mboxJournal struct {
	path string
	file *os.File
	have map[keyDigest]bool // letters that are in the mbox
	open map[int]entry      // those that were begun and not ended
	n    int                // records that were read
}

// An entry says where a message was to be.
type entry struct {
	key    keyDigest
	sum    [32]byte // SHA-256 of the octets after lead
	start  int64    // the size of the mbox before
	octets int64    // after lead
	lead   int64    // octets of line ends that were missing before
}

// A state is the first octet of a record.
type state byte

const (
	stateOpen state = '?' // begun
	stateDone state = '+' // there
	stateGone state = '-' // given up
)

const (
	recordFormat = "%c %s %x %012x %012x %d\n"
	recordLength = 128
)

func openJournal(path string) (*mboxJournal, error) {
	j := &mboxJournal{path: path}
	if err := j.reopen(); err != nil {
		return nil, fmt.Errorf("its journal cannot be opened: %w", err)
	}
	return j, nil
}

func (j *mboxJournal) close() error { return j.file.Close() }

func (j *mboxJournal) reopen() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(j.path)); err != nil {
		return errors.Join(err, f.Close())
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.n = f, 0
	j.have, j.open = make(map[keyDigest]bool), make(map[int]entry)
	return nil
}

// update reads what other processes have written.
func (j *mboxJournal) update() error {
	if err := j.read(); err != nil {
		return fmt.Errorf("its journal %s cannot be read: %w", j.path, err)
	}
	return nil
}

func (j *mboxJournal) read() error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(j.path); err != nil || !os.SameFile(info, now) || info.Size() < int64(j.n)*recordLength {
		if err := j.reopen(); err != nil { // somebody took it away
			return err
		}
		if info, err = j.file.Stat(); err != nil {
			return err
		}
	}
	if rest := info.Size() % recordLength; rest != 0 {
		// Half a record: what it announces was not begun.
		if err := j.file.Truncate(info.Size() - rest); err != nil {
			return err
		}
	}
	for i := range j.open { // another process may have ended it
		if err := j.readAt(i); err != nil {
			return err
		}
	}
	records := int(info.Size() / recordLength)
	buf := make([]byte, blocks/recordLength*recordLength)
	for j.n < records {
		part := buf[:min(len(buf), (records-j.n)*recordLength)]
		if _, err := j.file.ReadAt(part, int64(j.n)*recordLength); err != nil {
			return err
		}
		for ; len(part) > 0; part = part[recordLength:] {
			j.take(j.n, part[:recordLength])
			j.n++
		}
	}
	return nil
}

func (j *mboxJournal) readAt(i int) error {
	var record [recordLength]byte
	if _, err := j.file.ReadAt(record[:], int64(i)*recordLength); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	delete(j.open, i)
	j.take(i, record[:])
	return nil
}

// take learns from a record. One that is not readable was never durable, so nothing was begun.
func (j *mboxJournal) take(i int, record []byte) {
	var e entry
	if _, err := hex.Decode(e.key[:], record[2:34]); err != nil {
		return
	}
	switch state(record[0]) {
	case stateDone:
		j.have[e.key] = true
	case stateOpen:
		var c byte
		var key, sum []byte
		if _, err := fmt.Sscanf(string(record), "%c %x %x %x %x %d\n", &c, &key, &sum, &e.start, &e.octets, &e.lead); err != nil {
			return
		}
		if copy(e.sum[:], sum) == len(e.sum) && e.start >= 0 && e.octets >= 0 && e.lead >= 0 && e.lead <= maxLead {
			j.open[i] = e
		}
	default:
	}
}

// maxLead is the most that can be missing before a message: two CRLF.
const maxLead = 4

// pending returns the records that were begun and not ended, in order.
func (j *mboxJournal) pending() []int { return slices.Sorted(maps.Keys(j.open)) }

// isOpen says whether a letter was begun and not ended.
func (j *mboxJournal) isOpen(key keyDigest) bool {
	for _, e := range j.open {
		if e.key == key {
			return true
		}
	}
	return false
}

func (j *mboxJournal) at(i int) entry { return j.open[i] }

// begin notes durably that a message will be appended.
func (j *mboxJournal) begin(e entry) (int, error) {
	record := fmt.Sprintf(recordFormat, stateOpen, e.key, e.sum, e.start, e.octets, e.lead)
	if len(record) != recordLength {
		return 0, fmt.Errorf("a record of its journal has %d octets", len(record))
	}
	at := int64(j.n) * recordLength
	_, err := j.file.WriteAt([]byte(record), at)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("its journal cannot be written: %w", err), j.file.Truncate(at))
	}
	i := j.n
	j.n++
	j.open[i] = e
	return i, nil
}

// end notes durably what became of it.
func (j *mboxJournal) end(i int, s state) error {
	_, err := j.file.WriteAt([]byte{byte(s)}, int64(i)*recordLength)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("its journal cannot be written: %w", err)
	}
	if s == stateDone {
		j.have[j.open[i].key] = true
	}
	delete(j.open, i)
	return nil
}
