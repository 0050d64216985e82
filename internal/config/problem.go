package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong, or unwise, in a configuration.
type Problem struct {
	// File is the file as it was named, empty for built-in defaults.
	File string
	// Line is the line of the key, 0 if the key is not in the file.
	Line int
	// Key is the key with its section, "pop3.idle_timeout", empty if it concerns the whole file.
	Key string
	// Text says what is wrong and how to mend it.
	Text string
}

// String returns "postamt.toml:7: pop3.idle_timeout: 5m is too short, ...".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// An Error lists everything that keeps a configuration from being used, in the order of the file.
type Error struct {
	Problems []Problem
}

// Error returns the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one file can make us print.
const maxProblems = 50

// problems collects, knowing where each key stands.
type problems struct {
	file     string
	lines    map[string]int
	errors   []Problem
	warnings []Problem
}

func (p *problems) add(key, format string, args ...any) {
	p.errors = append(p.errors, p.problem(key, format, args))
}

func (p *problems) warn(key, format string, args ...any) {
	p.warnings = append(p.warnings, p.problem(key, format, args))
}

func (p *problems) problem(key, format string, args []any) Problem {
	line, at := 0, key
	for line == 0 && at != "" { // an element without a line of its own stands where its list does
		line = p.lines[at]
		i := strings.LastIndexAny(at, ".[")
		if i < 0 || line != 0 || at[i] == '.' {
			break
		}
		at = at[:i]
	}
	return Problem{File: p.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)}
}

// err returns nil if nothing is wrong.
func (p *problems) err() error {
	if len(p.errors) == 0 {
		return nil
	}
	p.errors = inOrder(p.errors)
	if more := len(p.errors) - maxProblems; more > 0 {
		p.errors = append(p.errors[:maxProblems:maxProblems], Problem{File: p.file, Text: fmt.Sprintf("and %d more problems", more)})
	}
	return &Error{Problems: p.errors}
}

func inOrder(ps []Problem) []Problem {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ps
}
