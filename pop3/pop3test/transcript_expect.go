package pop3test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postamt/postamt/pop3"
)

// expect reads what a step of the server says and compares.
func (p *dialogue) expect(v *visit, s transcriptStep) error {
	switch s.kind {
	case "S-RAW":
		return v.expectOctets(s.octets)
	case "S-MESSAGE", "S-TOP":
		return v.expectOctets(append(s.octets[:len(s.octets):len(s.octets)], ".\r\n"...))
	case "S-HAS", "S-HAS/", "S-LACKS", "S-LACKS/", "S-ALL/":
		return p.search(v, s)
	}
	for i := range s.times {
		if line, err := v.readLine(); err != nil || !s.re.MatchString(line) {
			return errors.Join(fmt.Errorf("line %d of %d: server says %q, which does not match %s", i+1, s.times, line, s.text), err)
		}
	}
	if s.times > 0 {
		return nil
	}
	line, err := v.readLine()
	if err != nil {
		return err
	}
	v.searched = nil
	switch s.kind {
	case "S/":
		m := s.re.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("server says %q, which does not match %s", line, s.text)
		}
		for i, name := range s.re.SubexpNames() {
			if name != "" {
				p.vars[name] = m[i]
			}
		}
		return nil
	case "S~":
		return sameStatus(line, s.text)
	}
	want, err := p.expand(s.text)
	if err != nil {
		return err
	}
	if line != want {
		return fmt.Errorf("server says %q, expected %q", line, want)
	}
	return nil
}

// sameStatus compares what RFC 1939 §9 says a client may rely on: the status indicator, and the response code. The text is
// the server's own, but it must keep to RFC 2449 §4.
func sameStatus(line, want string) error {
	w, err := pop3.ParseStatus(want)
	if err != nil {
		return fmt.Errorf("the step S~ wants a status line: %w", err)
	}
	got, err := pop3.ParseStatus(line)
	if err != nil {
		return fmt.Errorf("server says %q, expected a response like %q", line, want)
	}
	if got.OK != w.OK || got.Code != w.Code {
		return fmt.Errorf("server says %q, expected a response like %q", line, want)
	}
	if len(line)+2 > pop3.MaxStatus {
		return fmt.Errorf("server sends a status line of %d octets, more than %d", len(line)+2, pop3.MaxStatus)
	}
	return nil
}

// expectOctets reads as many octets as want has and compares.
func (v *visit) expectOctets(want []byte) error {
	got := make([]byte, min(len(want), 32<<10))
	for at := 0; at < len(want); {
		chunk := got[:min(len(got), len(want)-at)]
		n, err := io.ReadFull(v.r, chunk)
		if !bytes.Equal(chunk[:n], want[at:at+n]) {
			for i := range n {
				if chunk[i] != want[at+i] {
					return fmt.Errorf("octet %d on: server sends %.80q, expected %.80q", at+i, chunk[i:n], want[at+i:])
				}
			}
		}
		at += n
		if err != nil {
			return fmt.Errorf("after %d octets of %d: %w", at, len(want), err)
		}
	}
	return nil
}

// search reads a multi-line response, at the first such step, and looks a line up in it, at each.
func (p *dialogue) search(v *visit, s transcriptStep) error {
	for v.searched == nil || v.searched[len(v.searched)-1] != "." {
		line, err := v.readLine()
		if err != nil {
			return err
		}
		if len(v.searched) == MaxTranscriptLines && line != "." {
			return errors.New("the response has too many lines")
		}
		v.searched = append(v.searched, line)
	}
	lines := v.searched[:len(v.searched)-1]
	match := func(line string) bool { return line == s.text }
	if s.re != nil {
		match = s.re.MatchString
	}
	has, all := false, true
	for _, line := range lines {
		fits := match(line)
		has, all = has || fits, all && fits
	}
	switch kind := strings.TrimSuffix(s.kind, "/"); {
	case kind == "S-HAS" && !has:
		return fmt.Errorf("the response has no line %s: %q", s.text, lines)
	case kind == "S-LACKS" && has:
		return fmt.Errorf("the response has a line %s: %q", s.text, lines)
	case kind == "S-ALL" && !all:
		return fmt.Errorf("the response has a line other than %s: %q", s.text, lines)
	}
	return nil
}
