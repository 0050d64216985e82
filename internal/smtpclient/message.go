package smtpclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/internal/wire"
)

// maxAddress is more than any address has (RFC 5321 §4.5.3.1).
const maxAddress = 512

// ErrNoUTF8: an address has other characters than ASCII and the server does not take that (RFC 6531).
var ErrNoUTF8 = errors.New("the server takes addresses in ASCII only")

// Mail begins a message. sender is the reverse-path, empty for the null sender. recipients are only looked at here, to
// tell the server whether addresses in UTF-8 follow; each goes to Rcpt.
func (c *Conn) Mail(sender string, recipients ...string) error {
	line := "MAIL FROM:<" + sender + ">"
	if err := checkAddress(sender); err != nil {
		return err
	}
	if c.has("8BITMIME") {
		line += " BODY=8BITMIME"
	}
	for _, address := range append([]string{sender}, recipients...) {
		if !strings.ContainsFunc(address, func(r rune) bool { return r > 0x7e }) {
			continue
		}
		if !c.has("SMTPUTF8") {
			return fmt.Errorf("%w: <%s>", ErrNoUTF8, printable(address))
		}
		line += " SMTPUTF8"
		break
	}
	_, err := c.command(250, line)
	return err
}

func (c *Conn) has(extension string) bool {
	_, ok := c.ext[extension]
	return ok
}

func checkAddress(a string) error {
	if len(a) > maxAddress || strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r == 0x7f || r == '<' || r == '>' }) {
		return fmt.Errorf("%q is not an address", printable(a))
	}
	return nil
}

// Rcpt adds a recipient.
func (c *Conn) Rcpt(recipient string) error {
	if err := checkAddress(recipient); err != nil {
		return err
	}
	r, err := c.command(250, "RCPT TO:<"+recipient+">")
	if r.code == 251 { // it will forward
		return nil
	}
	return err
}

// A Message is being sent.
type Message struct {
	c    *Conn
	dots *wire.DotWriter
	err  error
}

// Data begins to send the message itself.
func (c *Conn) Data() (*Message, error) {
	if _, err := c.command(354, "DATA"); err != nil {
		return nil, err
	}
	m := &Message{c: c}
	m.dots = wire.NewDotWriter(timed{c}, wire.Text)
	return m, nil
}

// timed gives each block its time.
type timed struct{ c *Conn }

func (t timed) Write(p []byte) (int, error) {
	if t.c.w.Available() < len(p) {
		if err := t.c.arm(t.c.opt.Timeout); err != nil {
			return 0, err
		}
	}
	return t.c.w.Write(p)
}

// Write sends octets of the message. An error is final, and means that the message is not delivered.
func (m *Message) Write(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n := 0
	for len(p) > 0 && m.err == nil { // in blocks, because each has its own time
		block := p[:min(len(p), 64<<10)]
		var k int
		k, m.err = m.dots.Write(block)
		n += k
		p = p[len(block):]
	}
	return n, m.err
}

// Finish ends the message and returns what the server says: one answer for each recipient that was accepted, in order,
// with LMTP, one for all with SMTP. A nil answer means that the server has the message. If err is not nil nobody knows.
func (m *Message) Finish(recipients int) (answers []error, err error) {
	if m.err != nil {
		return nil, m.err
	}
	c := m.c
	m.err = errors.New("smtpclient: message is used after its end")
	if err := c.arm(c.opt.Timeout); err != nil {
		return nil, err
	}
	if err := m.dots.Close(); err != nil {
		return nil, err
	}
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	if !c.opt.LMTP {
		recipients = 1
	}
	for range recipients {
		_, err := c.answer(max(c.opt.Timeout, FinishTimeout), "the message", 250)
		var refused *ReplyError
		if err != nil && !errors.As(err, &refused) {
			return answers, err
		}
		answers = append(answers, err)
	}
	return answers, nil
}
