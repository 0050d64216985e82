package config

import (
	"strconv"
	"strings"
)

// lineIndex finds the line on which each key of a TOML text stands: "pop3.listen", "pop3.listen[1]" for an element,
// "tls.certificates[0].cert" inside an array of tables. The TOML module reports positions of syntax errors only. On text
// that is not TOML the index ends where the mistake is. It also tells whether something is nested deeper than maxNesting;
// that part is then not in the index. The module takes minutes for some such texts of 200 KiB.
func lineIndex(text string) (lines map[string]int, deep bool) {
	for _, bom := range []string{"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"} { // the module ignores them, too
		if rest, ok := strings.CutPrefix(text, bom); ok {
			text = rest
			break
		}
	}
	s := &lineScanner{text: text, line: 1, lines: make(map[string]int), tables: make(map[string]int)}
	s.document()
	return s.lines, s.deep
}

// maxNesting bounds the recursion of lineScanner. No key of ours is nested deeper than four.
const maxNesting = 32

type lineScanner struct {
	text  string
	pos   int
	line  int
	lines map[string]int
	// tables counts the [[headers]] of each array of tables.
	tables map[string]int
	deep   bool
}

func (s *lineScanner) document() {
	table := ""
	for s.blank(true); s.pos < len(s.text); s.blank(true) {
		start := s.pos
		switch {
		case s.take("[["):
			keys := s.keys()
			s.take("]]")
			path := s.resolve(keys)
			table = path + "[" + strconv.Itoa(s.tables[path]) + "]"
			s.tables[path]++
			s.note(path)
			s.note(table)
		case s.take("["):
			keys := s.keys()
			s.take("]")
			table = s.resolve(keys)
			if n := s.tables[table]; n > 0 {
				table += "[" + strconv.Itoa(n-1) + "]"
			}
			s.note(table)
		default:
			s.assignment(table, 0)
		}
		if s.pos == start {
			return // not TOML
		}
	}
}

// assignment reads "key = value".
func (s *lineScanner) assignment(table string, depth int) {
	path := table
	for _, k := range s.keys() {
		path = join(path, k)
		s.note(path)
	}
	if s.take("=") {
		s.value(path, depth)
	}
}

func (s *lineScanner) value(path string, depth int) {
	s.blank(false)
	s.note(path)
	if depth > maxNesting {
		s.tooDeep()
		return
	}
	switch {
	case s.take(`"""`):
		s.multiline(`"""`, true)
	case s.take(`'''`):
		s.multiline(`'''`, false)
	case s.peek() == '"' || s.peek() == '\'':
		s.quoted()
	case s.take("["):
		for i, start := 0, -1; s.inside(']') && s.pos != start; i++ {
			start = s.pos
			s.value(path+"["+strconv.Itoa(i)+"]", depth+1)
		}
	case s.take("{"):
		for start := -1; s.inside('}') && s.pos != start; {
			start = s.pos
			s.assignment(path, depth+1)
		}
	default:
		s.skipUntil(",]}#\n")
	}
}

// inside skips to the next element of an array or inline table, and reports whether there is one.
func (s *lineScanner) inside(end byte) bool {
	s.blank(true)
	if s.take(",") {
		s.blank(true)
	}
	if s.peek() == end {
		s.pos++
		return false
	}
	c := s.peek()
	return c != 0 && c != ']' && c != '}' && c != ',' && c != '='
}

// keys reads a dotted key.
func (s *lineScanner) keys() []string {
	var keys []string
	for {
		s.blank(false)
		switch c := s.peek(); {
		case c == '"':
			raw := s.quoted()
			if k, err := strconv.Unquote(raw); err == nil {
				raw = k
			}
			keys = append(keys, raw)
		case c == '\'':
			keys = append(keys, strings.Trim(s.quoted(), "'"))
		default:
			start := s.pos
			s.skipUntil(" \t.=]#\n\"'")
			if s.pos == start {
				return keys
			}
			keys = append(keys, s.text[start:s.pos])
		}
		s.blank(false)
		if !s.take(".") {
			return keys
		}
		if len(keys) > maxNesting {
			s.tooDeep()
			return nil
		}
	}
}

// tooDeep ends the scan.
func (s *lineScanner) tooDeep() {
	s.pos, s.deep = len(s.text), true
}

// resolve makes the path of a header; a part that names an array of tables means its last element.
func (s *lineScanner) resolve(keys []string) string {
	path := ""
	for i, k := range keys {
		if n := s.tables[path]; i > 0 && n > 0 {
			path += "[" + strconv.Itoa(n-1) + "]"
		}
		path = join(path, k)
		s.note(path)
	}
	return path
}

// quoted reads a string on one line and returns it with its quotes.
func (s *lineScanner) quoted() string {
	start, q := s.pos, s.text[s.pos]
	s.pos++
	for s.pos < len(s.text) && s.text[s.pos] != '\n' {
		c := s.text[s.pos]
		s.pos++
		if c == q {
			break
		}
		if c == '\\' && q == '"' && s.pos < len(s.text) && s.text[s.pos] != '\n' {
			s.pos++
		}
	}
	return s.text[start:s.pos]
}

func (s *lineScanner) multiline(end string, escapes bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case escapes && c == '\\' && s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n':
			s.pos += 2
			continue
		case c == '\n':
			s.line++
		case strings.HasPrefix(s.text[s.pos:], end):
			s.pos += len(end)
			for s.pos < len(s.text) && s.text[s.pos] == end[0] { // up to two quotes may stand before the end
				s.pos++
			}
			return
		}
		s.pos++
	}
}

// blank skips spaces, and with lines also line ends and comments.
func (s *lineScanner) blank(lines bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
		case c == '\n' && lines:
			s.line++
		case c == '#' && lines:
			s.skipUntil("\n")
			continue
		default:
			return
		}
		s.pos++
	}
}

func (s *lineScanner) skipUntil(stop string) {
	if i := strings.IndexAny(s.text[s.pos:], stop); i >= 0 {
		s.pos += i
	} else {
		s.pos = len(s.text)
	}
}

func (s *lineScanner) take(token string) bool {
	if strings.HasPrefix(s.text[s.pos:], token) {
		s.pos += len(token)
		return true
	}
	return false
}

func (s *lineScanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// note keeps the first line of a path.
func (s *lineScanner) note(path string) {
	if _, ok := s.lines[path]; !ok && path != "" {
		s.lines[path] = s.line
	}
}

// join appends a key to a path, in quotes if it could be mistaken.
func join(path, key string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return !bareKey(r) }) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func bareKey(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}
