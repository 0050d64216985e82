package pop3test

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A transcriptStep is one line of the dialogue.
type transcriptStep struct {
	line int    // in the file, from 1
	kind string // "C", "S~", "C-TLS": without the connection's number
	conn int    // 0 where the line names none
	text string

	octets []byte         // of C-RAW, C-REPEAT, S-RAW, S-MESSAGE, S-TOP
	times  int            // of C-REPEAT, S-REPEAT/
	re     *regexp.Regexp // of S/, S-HAS/, S-LACKS/, S-ALL/
	words  []string       // of C-LOGIN, C-AUTH
}

// stepKind takes a step's mark apart: C or S, the connection's number, and the rest.
var stepKind = regexp.MustCompile(`^([CS])([1-9]?)((?:[~/]|-[A-Z]+/?)?):(?: (.*))?$`)

// ParseTranscript reads a transcript. name is for messages. Errors say the line.
func ParseTranscript(name string, data []byte) (*Transcript, error) {
	if len(data) > MaxTranscript {
		return nil, fmt.Errorf("%s: transcript has %d octets, more than %d", name, len(data), MaxTranscript)
	}
	comment, sections := parseArchive(data)
	p := &transcriptParser{tr: &Transcript{Name: name, Comment: comment}, files: map[string]section{}}
	var dialogue *section
	for _, s := range sections {
		if _, twice := p.files[s.name]; twice {
			return nil, fmt.Errorf("%s:%d: second section %q", name, s.line, s.name)
		}
		p.files[s.name] = s
		if s.name == "dialogue" {
			dialogue = &s
		}
	}
	if dialogue == nil {
		return nil, fmt.Errorf("%s: no section named dialogue", name)
	}
	if err := eachLine(name, p.files["setup"], p.setup); err != nil {
		return nil, err
	}
	if err := eachLine(name, *dialogue, p.step); err != nil {
		return nil, err
	}
	if len(p.tr.steps) == 0 {
		return nil, fmt.Errorf("%s: the dialogue is empty", name)
	}
	return p.tr, nil
}

// eachLine calls f for the lines of a section that are neither empty nor comments.
func eachLine(name string, s section, f func(line int, text string) error) error {
	for i, text := range strings.Split(string(s.data), "\n") {
		if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		line := s.line + 1 + i
		if err := f(line, strings.TrimLeft(text, " \t")); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	return nil
}

type transcriptParser struct {
	tr    *Transcript
	files map[string]section
}

// setup reads a line of the section setup.
func (p *transcriptParser) setup(_ int, text string) error {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "account":
		user, pass, ok := strings.Cut(rest, " ")
		if !ok || user == "" || pass == "" {
			return fmt.Errorf("account wants a name and a password")
		}
		p.tr.Accounts = append(p.tr.Accounts, Account{User: user, Password: pass})
		return nil
	case "option":
		if rest == "" {
			return fmt.Errorf("option wants a word")
		}
		p.tr.Options = append(p.tr.Options, rest)
		return nil
	case "message":
		return p.message(rest)
	}
	return fmt.Errorf("setup has no %q, only account, message and option", word)
}

// message reads "UID FORM VALUE", for the account before it.
func (p *transcriptParser) message(rest string) error {
	if len(p.tr.Accounts) == 0 {
		return fmt.Errorf("message before the first account")
	}
	uid, rest, _ := strings.Cut(rest, " ")
	form, value, ok := strings.Cut(rest, " ")
	if !ok {
		return fmt.Errorf("message wants a unique-id (or -), one of file, quoted and octets, and a value")
	}
	m := Message{UID: uid}
	if uid == "-" {
		m.UID = ""
	}
	switch form {
	case "file":
		s, ok := p.files[value]
		if !ok {
			return fmt.Errorf("there is no section %q", value)
		}
		m.Octets = bytes.ReplaceAll(s.data, []byte("\n"), []byte("\r\n"))
	case "quoted":
		octets, err := unquoteAll(value)
		if err != nil {
			return err
		}
		m.Octets = octets
	case "octets":
		n, err := strconv.Atoi(value)
		if err != nil || n < minFiller || n > MaxTranscriptMessage {
			return fmt.Errorf("octets wants a number from %d to %d", minFiller, MaxTranscriptMessage)
		}
		m.Octets = filler(n)
	default:
		return fmt.Errorf("message has no form %q, only file, quoted and octets", form)
	}
	a := &p.tr.Accounts[len(p.tr.Accounts)-1]
	a.Messages = append(a.Messages, m)
	return nil
}

// step reads a line of the dialogue.
func (p *transcriptParser) step(line int, text string) error {
	m := stepKind.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("neither a line of the client (C: ...) nor of the server (S: ...): %q", text)
	}
	s := transcriptStep{line: line, kind: m[1] + m[3], text: m[4]}
	if m[2] != "" {
		s.conn = int(m[2][0] - '0')
	}
	if err := p.operand(&s); err != nil {
		return err
	}
	p.tr.steps = append(p.tr.steps, s)
	return nil
}

// operand reads what a step has behind its mark.
func (p *transcriptParser) operand(s *transcriptStep) (err error) {
	switch s.kind {
	case "C", "S", "S~", "S-HAS", "S-LACKS":
	case "S/", "S-HAS/", "S-LACKS/", "S-ALL/":
		s.re, err = regexp.Compile(`^(?:` + s.text + `)$`)
	case "C-RAW", "S-RAW":
		s.octets, err = unquoteAll(s.text)
	case "C-REPEAT":
		number, quoted, _ := strings.Cut(s.text, " ")
		if s.times, err = strconv.Atoi(number); err != nil || s.times < 1 || s.times > MaxTranscriptMessage {
			return fmt.Errorf("C-REPEAT wants a number from 1 to %d and a quoted string", MaxTranscriptMessage)
		}
		if s.octets, err = unquoteAll(quoted); err == nil && len(s.octets)*s.times > MaxTranscriptMessage {
			return fmt.Errorf("C-REPEAT makes more than %d octets", MaxTranscriptMessage)
		}
	case "S-REPEAT/":
		number, line, _ := strings.Cut(s.text, " ")
		if s.times, err = strconv.Atoi(number); err != nil || s.times < 1 || s.times > MaxTranscriptLines {
			return fmt.Errorf("S-REPEAT/ wants a number from 1 to %d and an expression", MaxTranscriptLines)
		}
		s.re, err = regexp.Compile(`^(?:` + line + `)$`)
	case "S-MESSAGE":
		var octets []byte
		octets, err = p.find(s.text)
		s.octets = wireForm(octets)
	case "S-TOP":
		number, uid, _ := strings.Cut(s.text, " ")
		var lines int
		if lines, err = strconv.Atoi(number); err != nil || lines < 0 {
			return fmt.Errorf("S-TOP wants a number of lines and a unique-id")
		}
		var octets []byte
		octets, err = p.find(uid)
		s.octets = topOf(wireForm(octets), lines)
	case "C-LOGIN":
		user, pass, ok := strings.Cut(s.text, " ")
		if !ok {
			return fmt.Errorf("C-LOGIN wants a name and a password")
		}
		s.words = []string{user, pass}
	case "C-AUTH":
		if s.words = strings.SplitN(s.text, " ", 3); len(s.words) != 3 {
			return fmt.Errorf("C-AUTH wants a mechanism, a name and a password")
		}
	case "C-TLS", "C-CLOSE", "C-CUT", "S-CLOSE":
		if s.text != "" {
			return fmt.Errorf("nothing may follow the mark %s", s.kind)
		}
	default:
		return fmt.Errorf("unknown step %s", s.kind)
	}
	return err
}

// find returns the message with the unique-id, of any account.
func (p *transcriptParser) find(uid string) ([]byte, error) {
	for _, a := range p.tr.Accounts {
		for _, m := range a.Messages {
			if m.UID == uid && uid != "" {
				return m.Octets, nil
			}
		}
	}
	return nil, fmt.Errorf("setup has no message with unique-id %q", uid)
}

// unquoteAll reads Go string literals, with spaces between, as one string of octets.
func unquoteAll(s string) ([]byte, error) {
	var out []byte
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, fmt.Errorf("not a quoted string: %s", s)
		}
		octets, err := strconv.Unquote(q)
		if err != nil {
			return nil, fmt.Errorf("not a quoted string: %s", q)
		}
		out = append(out, octets...)
		s = s[len(q):]
	}
	return out, nil
}
