package movein

import (
	"strings"
	"time"
)

// fetchmail reads a line of .fetchids: "USER@HOST UID". The host is what stands behind poll in the configuration.
func (s *state) fetchmail(line string) string {
	user, host, uid, ok := fetchmailLine(line)
	if !ok {
		return "wanted USER@HOST UID"
	}
	s.mailbox(host, user)
	return s.add(uid, time.Time{})
}

// fetchmailLine takes the line apart. A user may have an @ and spaces in it, a unique-id neither begins nor ends there.
func fetchmailLine(line string) (user, host, uid string, ok bool) {
	at := strings.LastIndexByte(line, '@')
	// A unique-id can have an @, too: then the host is before the first space behind an earlier one.
	for at > 0 {
		rest := line[at+1:]
		before, after, found := strings.Cut(rest, " ")
		if found && before != "" && after != "" && !strings.ContainsAny(after, " \t") {
			return line[:at], before, after, true
		}
		at = strings.LastIndexByte(line[:at], '@')
	}
	return "", "", "", false
}
