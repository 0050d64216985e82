package movein

import (
	"strconv"
	"strings"
	"time"
)

// getmailName reads whose file it is off its name: oldmail-SERVER-PORT-USER. A server's name and a user's may have "-" in
// them, so the port is the first number that stands alone.
func (s *state) getmailName(name string) {
	parts := strings.Split(strings.TrimPrefix(name, "oldmail-"), "-")
	for i := 1; i < len(parts)-1; i++ {
		if n, err := strconv.ParseUint(parts[i], 10, 16); err == nil && n > 0 {
			s.mailbox(strings.Join(parts[:i], "-"), strings.Join(parts[i+1:], "-"))
			return
		}
	}
	s.mailbox("", "")
}

// getmail reads a line: unique-id, NUL, seconds since 1970.
func (s *state) getmail(line string) string {
	uid, seconds, ok := strings.Cut(line, "\x00")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || n < 0 {
		return "wanted a unique-id, NUL and seconds"
	}
	return s.add(uid, time.Unix(n, 0))
}
