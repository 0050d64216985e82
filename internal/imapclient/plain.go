package imapclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// A plain connection is one that is not signed in: a few commands with one-line answers, spoken here and not by the
// library.
type plain struct {
	*guard
	r    *bufio.Reader
	tag  int
	caps []string // nil: not known
}

func newPlain(g *guard) *plain { return &plain{guard: g, r: bufio.NewReaderSize(g, maxLine)} }

// readLine returns a line without its end.
func (p *plain) readLine() (string, error) {
	line, err := p.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: a line of more than %d octets", ErrTooLarge, maxLine)
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// greet reads the greeting.
func (p *plain) greet() error {
	line, err := p.readLine()
	if err != nil {
		return &ConnError{"greeting", err}
	}
	status, rest, ok := untagged(line)
	switch {
	case ok && status == "OK":
		p.note(rest)
		return nil
	case ok && status == "BYE":
		return respError("greeting", status, rest)
	case ok && status == "PREAUTH":
		return &ConnError{"greeting", fmt.Errorf("%w: it says that somebody is signed in already", ErrProtocol)}
	}
	return &ConnError{"greeting", fmt.Errorf("%w: it begins with %q", ErrProtocol, printable(line))}
}

// untagged splits a line that begins with a star and a word.
func untagged(line string) (word, rest string, ok bool) {
	line, ok = strings.CutPrefix(line, "* ")
	word, rest, _ = strings.Cut(line, " ")
	return strings.ToUpper(word), rest, ok
}

// note takes capabilities from `[CAPABILITY ...] text`.
func (p *plain) note(text string) {
	code, _, ok := strings.Cut(text, "]")
	words := strings.Fields(strings.TrimPrefix(code, "["))
	if ok && strings.HasPrefix(text, "[") && len(words) > 1 && strings.EqualFold(words[0], "CAPABILITY") {
		p.caps = upper(words[1:])
	}
}

func upper(words []string) []string {
	for i, w := range words {
		words[i] = strings.ToUpper(w)
	}
	return words
}

// has reports whether the server offers a capability, as far as is known.
func (p *plain) has(name string) bool { return hasCap(p.caps, name) }

// begin sends a command. shown is its name.
func (p *plain) begin(command string) (tag string, err error) {
	p.tag++
	tag = "P" + strconv.Itoa(p.tag)
	_, err = io.WriteString(p.guard, tag+" "+command+"\r\n")
	return tag, err
}

// command sends a command and waits for its end. shown is what errors call it.
func (p *plain) command(shown, command string) error {
	tag, err := p.begin(command)
	if err != nil {
		return &ConnError{shown, err}
	}
	_, err = p.answer(shown, tag)
	return err
}

// answer reads until the command is answered, or the server wants more: then more is true for the rest of that line.
func (p *plain) answer(shown, tag string) (more *string, err error) {
	for range maxUntagged {
		line, err := p.readLine()
		if err != nil {
			return nil, &ConnError{shown, err}
		}
		if rest, ok := strings.CutPrefix(line, "+"); ok {
			rest = strings.TrimSpace(rest)
			return &rest, nil
		}
		if status, rest, ok := untagged(line); ok {
			switch status {
			case "CAPABILITY":
				p.caps = upper(strings.Fields(rest))
			case "BYE":
				return nil, respError(shown, status, rest)
			case "OK":
				p.note(rest)
			}
			continue
		}
		rest, ok := strings.CutPrefix(line, tag+" ")
		if !ok {
			return nil, &ConnError{shown, fmt.Errorf("%w: it answers %q", ErrProtocol, printable(line))}
		}
		status, rest, _ := strings.Cut(rest, " ")
		switch status = strings.ToUpper(status); status {
		case "OK":
			p.note(rest)
			return nil, nil
		case "NO", "BAD":
			return nil, respError(shown, status, rest)
		}
		return nil, &ConnError{shown, fmt.Errorf("%w: it answers %q", ErrProtocol, printable(line))}
	}
	return nil, &ConnError{shown, fmt.Errorf("%w: more than %d lines without an answer", ErrTooLarge, maxUntagged)}
}

// respError is a refusal with `[CODE arguments] text`.
func respError(op, status, text string) *Error {
	e := &Error{Op: op, Status: status, Text: text}
	if code, rest, ok := strings.Cut(text, "]"); ok && strings.HasPrefix(code, "[") {
		e.Code, _, _ = strings.Cut(strings.ToUpper(code[1:]), " ")
		e.Code, e.Text = printable(e.Code), strings.TrimSpace(rest)
	}
	e.Text = printable(e.Text)
	return e
}

// capability asks what the server offers, unless it has said so unasked.
func (p *plain) capability() error {
	if p.caps != nil {
		return nil
	}
	return p.command("CAPABILITY", "CAPABILITY")
}

// hasCap reports whether a list has a capability. What IMAP4rev2 has built in counts only where there is nothing but
// IMAP4rev2.
func hasCap(caps []string, name string) bool {
	rev1, rev2 := false, false
	for _, c := range caps {
		if c == name {
			return true
		}
		rev1, rev2 = rev1 || c == "IMAP4REV1", rev2 || c == "IMAP4REV2"
	}
	if !rev2 || rev1 {
		return false
	}
	switch name {
	case "IDLE", "UIDPLUS", "LITERAL-", "SASL-IR", "UNSELECT", "ENABLE":
		return true
	}
	return false
}

// A handedOver connection goes to the library: what has been read already comes first.
type handedOver struct {
	net.Conn
	r io.Reader
}

func (h *handedOver) Read(p []byte) (int, error) { return h.r.Read(p) }

// handOver returns the connection for the library, which begins with a greeting of ours that says that somebody is signed
// in. Of a server with both versions of IMAP the newer one is kept quiet: it must be enabled first, and the library takes
// it for enabled.
func (p *plain) handOver() net.Conn {
	var caps []string
	for _, c := range p.caps {
		if c != "IMAP4REV2" || !hasCap(p.caps, "IMAP4REV1") {
			caps = append(caps, c)
		}
	}
	if len(caps) == 0 { // a server that does not say what it can do
		caps = []string{"IMAP4REV1"}
	}
	greeting := "* PREAUTH [CAPABILITY " + strings.Join(caps, " ") + "] signed in\r\n"
	return &handedOver{p.guard, io.MultiReader(strings.NewReader(greeting), p.r)}
}
