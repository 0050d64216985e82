package pop3test

import (
	"bytes"
	"strings"
)

// A section is one file of a txtar archive, the form that golang.org/x/tools/txtar describes.
type section struct {
	name string
	line int // of its mark, from 1
	data []byte
}

// parseArchive takes a txtar archive apart: a comment, then sections that begin with a line "-- name --". Any octets are
// an archive; a last line without end gets one.
func parseArchive(data []byte) (comment string, sections []section) {
	line := 0
	for len(data) > 0 {
		text, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		line++
		if name, ok := sectionMark(string(text)); ok {
			sections = append(sections, section{name: name, line: line})
			continue
		}
		if len(sections) == 0 {
			comment += string(text) + "\n"
			continue
		}
		s := &sections[len(sections)-1]
		s.data = append(append(s.data, text...), '\n')
	}
	return comment, sections
}

func sectionMark(line string) (name string, ok bool) {
	line, ok = strings.CutPrefix(line, "-- ")
	if !ok {
		return "", false
	}
	if line, ok = strings.CutSuffix(line, " --"); !ok {
		return "", false
	}
	name = strings.TrimSpace(line)
	return name, name != ""
}
