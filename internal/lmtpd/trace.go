package lmtpd

import (
	"strings"
	"time"
)

// traceLines returns the Return-Path and Received lines (RFC 5321 §4.4) of a message.
func traceLines(hostname, helo, peer string, env *envelope, at time.Time) []byte {
	var b strings.Builder
	b.WriteString("Return-Path: <" + env.sender + ">\r\nReceived: ")
	if isHostname(helo) {
		b.WriteString("from " + helo + " (" + peer + ")\r\n\t")
	}
	protocol := "LMTP"
	if env.utf8 {
		protocol = "UTF8LMTP" // RFC 6531 §4.3
	}
	b.WriteString("by " + hostname + " (Postamt) with " + protocol)
	if len(env.recipients) == 1 { // of several, none may learn of the others (RFC 5321 §7.6)
		b.WriteString("\r\n\tfor <" + env.recipients[0].address + ">")
	}
	b.WriteString("; " + at.Format(time.RFC1123Z) + "\r\n")
	return []byte(b.String())
}

// isHostname says whether what a client calls itself can stand in a header as it is.
func isHostname(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-.:[]_", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 255
}
