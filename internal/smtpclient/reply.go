package smtpclient

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Limits of replies.
const (
	maxLine  = 2000
	maxLines = 100
	maxText  = 500 // of an error
)

// A ReplyError is a server's refusal.
type ReplyError struct {
	// Command is what was refused, such as "RCPT TO:<bob@example.com>"; "" for the greeting.
	Command string
	// Code is the reply's code, 400 to 599.
	Code int
	// Enhanced is the enhanced status code, such as "5.1.1"; empty if there is none.
	Enhanced string
	// Text is what the server says, on one line.
	Text string
}

func (e *ReplyError) Error() string {
	what := e.Command
	if what == "" {
		what = "the connection"
	}
	code := fmt.Sprint(e.Code)
	if e.Enhanced != "" {
		code += " " + e.Enhanced
	}
	return strings.TrimSpace(fmt.Sprintf("the server refuses %s: %s %s", what, code, e.Text))
}

// Temporary says whether the server may take it later.
func (e *ReplyError) Temporary() bool { return e.Code < 500 }

// ErrProtocol: what the server says is no reply, or one that does not belong here.
var ErrProtocol = errors.New("the server does not follow the protocol")

func broken(what string) error { return fmt.Errorf("%w: %s", ErrProtocol, what) }

// A reply is a code and the text of each line.
type reply struct {
	code  int
	lines []string
}

func readReply(r *bufio.Reader) (reply, error) {
	var out reply
	for range maxLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return reply{}, broken("a line of a reply is too long")
		}
		if err != nil {
			return reply{}, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		code := 0
		for i := range 3 {
			if i >= len(text) || text[i] < '0' || text[i] > '9' {
				return reply{}, broken("a reply does not begin with a code")
			}
			code = 10*code + int(text[i]-'0')
		}
		if code < 200 || code > 599 || out.code != 0 && code != out.code {
			return reply{}, broken("a reply's code makes no sense")
		}
		out.code = code
		text = text[3:]
		last := text == "" || text[0] == ' '
		if !last && text[0] != '-' {
			return reply{}, broken("a reply's code is not followed by a space")
		}
		if text != "" {
			text = text[1:]
		}
		out.lines = append(out.lines, text)
		if last {
			return out, nil
		}
	}
	return reply{}, broken("a reply has too many lines")
}

// refusal makes an error of a reply that is not the one wanted.
func (r reply) refusal(command string) error {
	if r.code < 400 {
		return broken(fmt.Sprintf("code %d is no answer here", r.code))
	}
	e := &ReplyError{Command: printable(command), Code: r.code}
	words := make([]string, 0, len(r.lines))
	for _, line := range r.lines {
		if code, rest, _ := strings.Cut(line, " "); enhanced(code, r.code) {
			e.Enhanced, line = code, rest
		}
		words = append(words, strings.TrimSpace(line))
	}
	e.Text = printable(strings.Join(words, " "))
	return e
}

// enhanced says whether s is an enhanced status code of the same class (RFC 2034 §4).
func enhanced(s string, code int) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != fmt.Sprint(code/100) {
		return false
	}
	for _, p := range parts {
		if len(p) < 1 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

// printable bounds what a server said and takes control characters out.
func printable(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
