package mailfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func openMbox(path string) (*Source, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	name, size := filepath.Base(path), info.Size()
	return &Source{
		octets: size,
		messages: func(yield func(Message, error) bool) {
			s := mboxScanner{file: f, name: name, size: size}
			s.run(yield)
		},
		close: f.Close,
	}, nil
}

// openRegular opens a file that must be one. A pipe would be waited for, and could not be read twice.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return mustBeRegular(f)
}

func mustBeRegular(f *os.File) (*os.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

const (
	lineBuffer   = 64 << 10 // octets of a line that are held at once
	maxSeparator = 1000     // octets of a From line: a longer line is none
)

// A mboxScanner finds where messages begin and end.
//
// A message begins with a line "From sender date" at the start of the file or after an empty line. A line in a message
// that looks like one was quoted by the writer with ">" (mboxrd, mboxo), or is passed over by a Content-Length field
// (mboxcl, mboxcl2). Such a field is believed only as long as every message from the first on has one that ends where
// another message begins or the file ends: otherwise the sender of one message could make it swallow the next ones.
type mboxScanner struct {
	file *os.File
	name string
	size int64

	at       int64 // of the line being looked at
	empty    int64 // octets of the line before, if it is empty
	ordinal  int
	distrust bool // Content-Length is not believed any more
	junk     int64
	message  mboxMessage // being scanned
}

type mboxMessage struct {
	separator string // the From line; empty while none was seen
	line      int64  // where that is
	start     int64  // where the message begins
	end       int64  // where it ends by its Content-Length
	next      int64  // where the next one begins by its Content-Length, 0 if that is not believed
	claimed   int64  // its Content-Length, -1 for none
	inHeader  bool
	raw       bool // it passes over a line that begins with From
}

// run calls yield for each message.
func (s *mboxScanner) run(yield func(Message, error) bool) {
	br := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.size), lineBuffer)
	for {
		line, err := br.ReadSlice('\n')
		if n := int64(len(line)); n > 0 {
			if s.separates(line) {
				if !s.emit(yield) {
					return
				}
				text := string(bytes.TrimRight(line, "\r\n"))
				s.message = mboxMessage{separator: text, line: s.at, start: s.at + n, claimed: -1, inHeader: true}
				s.empty = 0
			} else {
				s.inside(line)
			}
			s.at += n
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			line, err = br.ReadSlice('\n')
			s.at += int64(len(line))
		}
		switch {
		case errors.Is(err, io.EOF):
			s.emit(yield)
			return
		case err != nil:
			yield(Message{}, fmt.Errorf("mailfile: reading %s at octet %d: %w", s.name, s.at, err))
			return
		}
	}
}

// separates says whether a line begins a message.
func (s *mboxScanner) separates(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("From ")) {
		return false
	}
	switch {
	case s.at < s.message.next:
		s.message.raw = true
		return false
	case len(line) > maxSeparator:
		return false
	case s.at == 0 || s.at == s.message.next:
		return true
	default:
		return s.empty > 0 && plausible(string(line))
	}
}

// inside looks at a line of a message, or at what comes before the first one.
func (s *mboxScanner) inside(line []byte) {
	s.empty = 0
	cut := len(line) == lineBuffer // it goes on: CRs only so far do not make it empty
	if text := bytes.TrimRight(line, "\r\n"); len(text) == 0 && !cut {
		s.empty = int64(len(line))
	}
	m := &s.message
	switch {
	case m.separator == "":
		if s.empty == 0 {
			s.junk += int64(len(line))
		}
	case m.inHeader && s.empty > 0:
		m.inHeader = false
		if m.claimed >= 0 && !s.distrust {
			s.believe(s.at + int64(len(line)) + m.claimed)
		}
	case m.inHeader && m.claimed < 0:
		m.claimed = contentLength(line)
	}
}

// contentLength reads a field Content-Length, and returns -1 for every other line.
func contentLength(line []byte) int64 {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(line) > 100 || !bytes.EqualFold(bytes.TrimSpace(name), []byte("Content-Length")) {
		return -1
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return -1
	}
	return n
}

// believe takes end for the message's end if another message begins there or the file ends.
func (s *mboxScanner) believe(end int64) {
	if end > s.size {
		return
	}
	buf := make([]byte, maxSeparator+2)
	n, err := s.file.ReadAt(buf, end)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	rest := buf[:n]
	gap := int64(0)
	if bytes.HasPrefix(rest, []byte("\r\n")) {
		gap = 2
	} else if bytes.HasPrefix(rest, []byte("\n")) {
		gap = 1
	}
	rest = rest[gap:]
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if end+gap == s.size || bytes.HasPrefix(line, []byte("From ")) && plausible(string(line)) {
		s.message.end, s.message.next = end, end+gap
	}
}

// emit gives the message that ends here to yield.
func (s *mboxScanner) emit(yield func(Message, error) bool) bool {
	m := s.message
	if m.separator == "" {
		if s.junk == 0 {
			return true
		}
		detail := fmt.Sprintf("%d octets are left out, because they do not follow a line that begins with \"From \"", s.junk)
		return yield(Message{}, &DamageError{File: s.name, Detail: detail})
	}
	s.ordinal++
	end := m.end
	if m.next == 0 {
		s.distrust = true
		end = max(s.at-s.empty, m.start)
	}
	open := func() (io.ReadCloser, error) {
		section := io.NewSectionReader(s.file, m.start, end-m.start)
		if m.raw {
			return io.NopCloser(section), nil
		}
		return io.NopCloser(newLineFilter(section, lineForm{unquote: true}, section.Size())), nil
	}
	msg := Message{File: s.name, Ordinal: s.ordinal, Octets: s.at - m.line, open: open}
	msg.Sender, msg.Received = parseSeparator(m.separator)
	if msg.Sender == "" || msg.Received.IsZero() {
		msg.complete(readHeader(io.NewSectionReader(s.file, m.start, end-m.start)))
	}
	return yield(msg, nil)
}

// complete fills in from the header what the file itself did not tell.
func (m *Message) complete(h header) {
	if m.Sender == "" {
		m.Sender = h.returnPath
	}
	if m.Received.IsZero() {
		m.Received = h.received
	}
	if m.Received.IsZero() {
		m.Received = h.date
	}
}
