package movein

import (
	"strconv"
	"strings"
	"time"
)

// thunderbird reads a line of popstate.dat: comments, "*HOST USER", and "FLAG UID SECONDS" where the seconds may be
// missing. The flags b and f are messages of which only the beginning was fetched: those are not known.
func (s *state) thunderbird(line string) string {
	switch line[0] {
	case '#':
		return ""
	case '*':
		host, user, ok := strings.Cut(line[1:], " ")
		if !ok || host == "" || user == "" {
			return "wanted *HOST USER"
		}
		s.mailbox(host, user)
		return ""
	}
	words := strings.Fields(line)
	if len(s.boxes) == 0 {
		return "a unique-id before any *HOST USER"
	}
	if len(words) < 2 || len(words[0]) != 1 {
		return "wanted FLAG UID SECONDS"
	}
	var fetched time.Time
	if len(words) > 2 {
		n, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || n < 0 {
			return "wanted FLAG UID SECONDS"
		}
		fetched = time.Unix(n, 0)
	}
	switch words[0] {
	case "k", "d":
		return s.add(words[1], fetched)
	case "b", "f":
		return ""
	}
	return "the flag " + strconv.Quote(words[0]) + " is not known"
}
