package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

const (
	// maxIMAPLine is the longest line of an IMAP server that is read, in octets.
	maxIMAPLine = 8 << 10
	// maxIMAPLines is how many lines may come before the end of an answer.
	maxIMAPLines = 50
)

var errIMAP = errors.New("does not speak IMAP")

// imap looks at an IMAP port: greeting, capabilities and TLS, no more.
func (l *look) imap(ctx context.Context) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var trust error
	config := l.config(l.opt.Host, "imap", &trust)
	if l.port.Security == "tls" {
		secure, err := handshake(conn, config)
		if err != nil {
			return err
		}
		state := secure.ConnectionState()
		l.port.TLS = describe(&state, trust, l.opt.Now())
		talk := newTalk(secure)
		if l.port.Greeting, err = talk.greeting(); err != nil {
			return err
		}
		return l.imapCapabilities(talk)
	}
	talk := newTalk(conn)
	if l.port.Greeting, err = talk.greeting(); err != nil {
		return err
	}
	before, err := talk.capabilities("a1")
	if err != nil {
		return err
	}
	l.port.Clear = before
	if !has(before, "STARTTLS") {
		l.port.Security = "none"
		return errors.New("offers no TLS")
	}
	if _, err := talk.command("a2", "STARTTLS"); err != nil {
		return err
	}
	secure, err := handshake(conn, config) // what was read ahead is dropped with talk
	if err != nil {
		return err
	}
	state := secure.ConnectionState()
	l.port.TLS = describe(&state, trust, l.opt.Now())
	return l.imapCapabilities(newTalk(secure))
}

func (l *look) imapCapabilities(t *talk) error {
	capa, err := t.capabilities("b1")
	if err != nil {
		return err
	}
	l.port.Capabilities = capa
	for _, c := range capa {
		if m, ok := strings.CutPrefix(strings.ToUpper(c), "AUTH="); ok {
			l.port.Mechanisms = append(l.port.Mechanisms, m)
		}
	}
	_, _ = t.command("b2", "LOGOUT") // it may hang up instead
	return nil
}

func has(all []string, name string) bool {
	for _, s := range all {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// A talk is a conversation with an IMAP server, as far as it is needed here (RFC 9051 §2.2).
type talk struct {
	conn net.Conn
	r    *bufio.Reader
}

func newTalk(conn net.Conn) *talk { return &talk{conn, bufio.NewReaderSize(conn, maxIMAPLine)} }

func (t *talk) line() (string, error) {
	line, err := t.r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			err = fmt.Errorf("%w: a line is too long", errIMAP)
		}
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

func (t *talk) greeting() (string, error) {
	line, err := t.line()
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(line, "* OK ")
	if !ok {
		return "", fmt.Errorf("%w: it says %s", errIMAP, plain(line))
	}
	return plain(text), nil
}

// command sends a command and returns the lines in front of its OK.
func (t *talk) command(tag, text string) ([]string, error) {
	if _, err := t.conn.Write([]byte(tag + " " + text + "\r\n")); err != nil {
		return nil, err
	}
	var before []string
	for range maxIMAPLines {
		line, err := t.line()
		if err != nil {
			return nil, err
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			if len(rest) < 2 || !strings.EqualFold(rest[:2], "OK") {
				return nil, fmt.Errorf("refuses %s: %s", text, plain(rest))
			}
			return before, nil
		}
		before = append(before, line)
	}
	return nil, fmt.Errorf("%w: %s has no end", errIMAP, text)
}

func (t *talk) capabilities(tag string) ([]string, error) {
	all, err := t.command(tag, "CAPABILITY")
	if err != nil {
		return nil, err
	}
	for _, line := range all {
		words := strings.Fields(plain(line))
		if len(words) > 2 && words[0] == "*" && strings.EqualFold(words[1], "CAPABILITY") {
			return words[2:], nil
		}
	}
	return nil, fmt.Errorf("%w: CAPABILITY lists nothing", errIMAP)
}
