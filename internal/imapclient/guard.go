package imapclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// A guard is a connection that keeps what the server sends within bounds, and has time limits only while something is
// asked of the server. The library's own time limits are ignored.
type guard struct {
	net.Conn
	timeout    time.Duration
	maxMessage int64

	mu    sync.Mutex
	armed bool
	err   error // the first failure

	// Of the reading side alone.
	literal int64  // octets of a message's text that are still to come
	held    int64  // octets of another literal that are still to come: the library holds those in memory
	count   int64  // octets of the response under way, besides the text of a message
	line    []byte // the end of its line under way, at most keptLine octets
	fetch   bool   // it begins as a FETCH response does: "* " and a digit
	depth   int    // of parentheses in it
	quoted  quoting
}

// keptLine is how much of a line's end is looked at to see whether the text of a message follows.
const keptLine = 128

// quoting says whether an octet stands in a quoted string.
type quoting uint8

const (
	notQuoted quoting = iota
	inQuotes
	afterBackslash
)

func newGuard(conn net.Conn, opt *Options) *guard {
	return &guard{Conn: conn, timeout: opt.Timeout, maxMessage: opt.MaxMessage, line: make([]byte, 0, keptLine)}
}

// arm says that something is asked of the server.
func (g *guard) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = true
	_ = g.Conn.SetReadDeadline(time.Now().Add(g.timeout)) // if it fails, so will reading
}

// disarm says that nothing is.
func (g *guard) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	_ = g.Conn.SetReadDeadline(time.Time{})
}

// fail ends the connection. The first reason is the one that is told.
func (g *guard) fail(err error) {
	g.mu.Lock()
	if g.err == nil {
		g.err = err
	}
	g.mu.Unlock()
	_ = g.Conn.Close()
}

// failure returns why the connection failed, nil if it did not.
func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// Close ends the connection.
func (g *guard) Close() error {
	g.fail(ErrClosed)
	return nil
}

// SetReadDeadline does nothing: the guard has its own.
func (g *guard) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the guard has its own.
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does nothing: the guard has its own.
func (g *guard) SetDeadline(time.Time) error { return nil }

func (g *guard) Write(p []byte) (int, error) {
	_ = g.Conn.SetWriteDeadline(time.Now().Add(g.timeout))
	n, err := g.Conn.Write(p)
	if err != nil {
		g.fail(err)
		err = g.failure()
	}
	return n, err
}

func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	if g.armed {
		_ = g.Conn.SetReadDeadline(time.Now().Add(g.timeout))
	}
	g.mu.Unlock()
	n, err := g.Conn.Read(p)
	if wrong := g.inspect(p[:n]); wrong != nil {
		g.fail(wrong)
		return 0, wrong
	}
	if errors.Is(err, io.EOF) {
		// The library takes io.EOF for the end of whatever it is reading.
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		g.fail(err)
		err = g.failure()
	}
	return n, err
}

// inspect follows what the server sends.
func (g *guard) inspect(p []byte) error {
	for len(p) > 0 {
		switch {
		case g.literal > 0:
			n := min(int64(len(p)), g.literal)
			g.literal -= n
			p = p[n:]
			continue
		case g.held > 0:
			n := min(int64(len(p)), g.held)
			g.held -= n
			p = p[n:]
			continue
		}
		i := bytes.IndexByte(p, '\n') + 1
		if i == 0 {
			i = len(p)
		}
		g.begin(p[:i])
		g.keep(p[:i])
		ended := p[i-1] == '\n'
		p = p[i:]
		if g.count += int64(i); g.count > maxResponse {
			return fmt.Errorf("%w: a response of more than %d octets", ErrTooLarge, maxResponse)
		}
		if !ended {
			continue
		}
		if err := g.lineEnd(); err != nil {
			return err
		}
	}
	return nil
}

// lineEnd looks at the end of a line: a literal may follow.
func (g *guard) lineEnd() error {
	size, ok := literalSize(g.line)
	text := g.fetch && g.depth == 1 && textFollows(g.line)
	g.line = g.line[:0]
	switch {
	case !ok:
		g.count, g.depth, g.quoted = 0, 0, notQuoted
	case !text:
		if size > maxResponse-g.count {
			return fmt.Errorf("%w: a literal of %d octets that is not the text of a message", ErrTooLarge, size)
		}
		g.count += size
		g.held = size
	case size > g.maxMessage:
		return fmt.Errorf("%w: a message of %d octets, the bound is %d", ErrTooLarge, size, g.maxMessage)
	default:
		g.literal = size
	}
	return nil
}

// begin looks at the first three octets of a response.
func (g *guard) begin(piece []byte) {
	for i := range min(len(piece), int(max(0, 3-g.count))) {
		switch c := piece[i]; g.count + int64(i) {
		case 0:
			g.fetch = c == '*'
		case 1:
			g.fetch = g.fetch && c == ' '
		case 2:
			g.fetch = g.fetch && c >= '0' && c <= '9'
		}
	}
}

// keep remembers the end of a line, and follows parentheses and quotes.
func (g *guard) keep(piece []byte) {
	for _, c := range piece {
		switch {
		case g.quoted == afterBackslash:
			g.quoted = inQuotes
		case g.quoted == inQuotes && c == '\\':
			g.quoted = afterBackslash
		case c == '"' && g.quoted == inQuotes:
			g.quoted = notQuoted
		case c == '"':
			g.quoted = inQuotes
		case g.quoted == inQuotes:
		case c == '(':
			g.depth++
		case c == ')':
			g.depth--
		}
	}
	piece = piece[max(0, len(piece)-keptLine):]
	if over := len(g.line) + len(piece) - keptLine; over > 0 {
		g.line = append(g.line[:0], g.line[over:]...)
	}
	g.line = append(g.line, piece...)
}

// literalSize says whether a line ends with the announcement of a literal, and of what size.
func literalSize(line []byte) (size int64, ok bool) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	line, ok = bytes.CutSuffix(line, []byte("}"))
	open := bytes.LastIndexByte(line, '{')
	if !ok || open < 0 || len(line)-open > 20 {
		return 0, false
	}
	size, err := strconv.ParseInt(string(line[open+1:]), 10, 64)
	return size, err == nil && size >= 0
}

// textFollows says whether the literal that a line ends with is the text of a message: `BODY[...] {size}` CRLF.
func textFollows(line []byte) bool {
	before := bytes.TrimRight(line[:bytes.LastIndexByte(line, '{')], " ")
	if i := bytes.LastIndexByte(before, '<'); i > 0 && bytes.HasSuffix(before, []byte(">")) { // from where
		before = before[:i]
	}
	i := bytes.LastIndexByte(bytes.ToUpper(before), '[')
	return bytes.HasSuffix(before, []byte("]")) && i >= 4 && bytes.EqualFold(before[i-4:i], []byte("BODY"))
}
