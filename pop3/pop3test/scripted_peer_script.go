package pop3test

import (
	"fmt"
	"strings"
)

// Dialogue makes a script of a dialogue in the manner of the RFCs: lines that begin with "S: " are sent and lines that
// begin with "C: " are expected, each with CRLF. Space before them and empty lines do not count. Anything else panics:
// scripts are written by programmers.
func Dialogue(text string) Script {
	var script Script
	for line := range strings.Lines(text) {
		line = strings.TrimRight(strings.TrimLeft(line, " \t"), "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
		case line == "S:":
			script = append(script, Reply(""))
		case strings.HasPrefix(line, "S: "):
			script = append(script, Reply(line[3:]))
		case strings.HasPrefix(line, "C: "):
			script = append(script, Expect(line[3:]))
		default:
			panic(fmt.Sprintf("pop3test: a line of a dialogue begins with %q or %q, not %q", "C: ", "S: ", line))
		}
	}
	return script
}

// Then returns the script with more steps behind it. It leaves s as it is.
func (s Script) Then(steps ...Step) Script {
	return append(append(make(Script, 0, len(s)+len(steps)), s...), steps...)
}

// Octets returns how many octets the Send steps of the script send.
func (s Script) Octets() int {
	n := 0
	for _, step := range s {
		for _, segment := range step.sends {
			n += len(segment)
		}
	}
	return n
}

// FaultAfter returns the script that plays s until n octets were sent, then fault (Cut, Reset, Stall), and ends. With n
// from 0 to s.Octets() it breaks a dialogue at every octet.
func (s Script) FaultAfter(n int, fault Step) Script {
	set := Step{name: fmt.Sprintf("FaultAfter %d octets: %s", n, fault.name), run: func(p *player) error {
		p.left, p.fault, p.mayHangUp = n, fault, true
		return nil
	}}
	return append(Script{set}, s...)
}

// Segmented returns the script that sends at most size octets in a segment.
func (s Script) Segmented(size int) Script {
	out := make(Script, len(s))
	for i, step := range s {
		var small [][]byte
		for _, segment := range step.sends {
			for len(segment) > size {
				small = append(small, segment[:size])
				segment = segment[size:]
			}
			small = append(small, segment)
		}
		step.sends = small
		out[i] = step
	}
	return out
}
