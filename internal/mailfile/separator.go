package mailfile

import (
	"slices"
	"strings"
	"time"
)

// Separator returns the line "From sender date" that begins a message in an mbox, without its end. A sender that is none,
// the null sender too, is written as MAILER-DAEMON.
func Separator(sender string, received time.Time) string {
	sender = cleanSender(sender)
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	return "From " + sender + " " + time.Unix(max(received.Unix(), 0), 0).UTC().Format(time.ANSIC)
}

var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// maxWords is how many words a From line has at most.
const maxWords = 16

// plausible says whether a line that begins with From is one that programs write between messages: it has a month and a
// time of day. "From here on it was easy" has not.
func plausible(line string) bool {
	words := strings.Fields(line)
	if len(words) > maxWords {
		return false
	}
	return slices.ContainsFunc(words, isMonth) && slices.ContainsFunc(words, isTimeOfDay)
}

func isMonth(word string) bool {
	return slices.Contains(months, strings.ToLower(word))
}

// isTimeOfDay: 12:34 or 12:34:56.
func isTimeOfDay(word string) bool {
	if len(word) != 5 && len(word) != 8 {
		return false
	}
	for i := range len(word) {
		if c := word[i]; i%3 == 2 && c != ':' || i%3 != 2 && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// dates are the forms of dates in From lines.
var dates = []string{
	"Mon Jan 2 15:04:05 2006",
	"Mon Jan 2 15:04:05 -0700 2006",
	"Mon Jan 2 15:04:05 MST 2006",
	"Mon Jan 2 15:04:05 2006 -0700",
	"Mon Jan 2 15:04:05 2006 MST",
	"Mon Jan 2 15:04 2006",
	"Mon, 2 Jan 2006 15:04:05 -0700",
}

// credible reports whether mail can have come in then. The store takes no other times, and a file may say anything.
func credible(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 2200 }

// parseSeparator reads a From line. What it cannot read is empty.
func parseSeparator(line string) (sender string, received time.Time) {
	words := strings.Fields(strings.TrimPrefix(line, "From "))
	if len(words) == 0 || len(words) > maxWords {
		return "", time.Time{}
	}
	sender = cleanSender(words[0])
	for from := range words {
		date := strings.Join(words[from:], " ")
		for _, layout := range dates {
			if t, err := time.Parse(layout, date); err == nil && credible(t) {
				return sender, t.UTC()
			}
		}
	}
	return sender, time.Time{}
}
