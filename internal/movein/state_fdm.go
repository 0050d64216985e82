package movein

import (
	"strconv"
	"strings"
	"time"
)

// fdm reads a line of a cache of unique-ids: their length and they themselves. The file does not say whose it is.
func (s *state) fdm(line string) string {
	uid, ok := fdmUID(line)
	if !ok {
		return "wanted the length of a unique-id, and the unique-id"
	}
	s.mailbox("", "")
	return s.add(uid, time.Time{})
}

func fdmUID(line string) (uid string, ok bool) {
	length, uid, ok := strings.Cut(line, " ")
	n, err := strconv.Atoi(length)
	return uid, ok && err == nil && n == len(uid)
}
