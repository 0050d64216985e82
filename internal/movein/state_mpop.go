package movein

import (
	"strconv"
	"strings"
	"time"
)

// mpop reads a line of its file of UIDs: comments, " NUMBER HOST USER", and that many unique-ids, one a line.
func (s *state) mpop(line string) string {
	switch {
	case s.left == 0 && strings.HasPrefix(line, "#"):
		return ""
	case strings.HasPrefix(line, " "):
		if s.left > 0 {
			return "a list ends before its " + strconv.Itoa(s.left) + " last unique-ids"
		}
		words := strings.SplitN(line[1:], " ", 3)
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 0 || n > maxKnown || len(words) != 3 {
			return "wanted NUMBER HOST USER"
		}
		s.mailbox(words[1], words[2])
		s.left = n
		return ""
	case s.left == 0:
		return "a unique-id outside a list"
	}
	s.left--
	return s.add(line, time.Time{})
}
