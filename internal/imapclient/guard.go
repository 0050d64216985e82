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
	head    []byte // its first octets, at most keptHead
	line    []byte // the end of its line under way, at most keptLine octets
	closed  bool   // there was a closing bracket in it
	depth   int    // of parentheses in it
	quoted  quoting
}

// keptHead is how much of a response's beginning is looked at to see what it is: a tag, or a number, and a word.
const keptHead = 40

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
	return &guard{Conn: conn, timeout: opt.Timeout, maxMessage: opt.MaxMessage, head: make([]byte, 0, keptHead), line: make([]byte, 0, keptLine)}
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
			if bytes.IndexByte(p[:n], '\n') >= 0 {
				return fmt.Errorf("%w: a literal of several lines that is not the text of a message", ErrProtocol)
			}
			g.held -= n
			p = p[n:]
			continue
		}
		i := bytes.IndexByte(p, '\n') + 1
		if i == 0 {
			i = len(p)
		}
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

// lineEnd looks at the end of a line: a literal may follow. It must take for one what the library takes for one, and nothing
// else, so that no literal goes by unseen in the octets of another.
func (g *guard) lineEnd() error {
	size, ok := literalSize(g.line)
	kind, code := kindOf(g.head)
	switch {
	case kind == badResponse:
		return fmt.Errorf("%w: a response begins with %q", ErrProtocol, printable(string(g.head)))
	case kind == statusResponse && code && !g.closed:
		return fmt.Errorf("%w: a response code without an end", ErrProtocol) // the library would look for that in what follows
	}
	ok = ok && kind != statusResponse
	text := ok && kind == fetchResponse && g.depth == 1 && textFollows(g.line)
	g.line = g.line[:0]
	switch {
	case !ok:
		g.head, g.count, g.closed, g.depth, g.quoted = g.head[:0], 0, false, 0, notQuoted
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

// keep remembers the end of a line, and follows parentheses and quotes.
func (g *guard) keep(piece []byte) {
	g.head = append(g.head, piece[:min(len(piece), keptHead-len(g.head))]...)
	g.closed = g.closed || bytes.IndexByte(piece, ']') >= 0
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
