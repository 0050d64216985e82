package pop3client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// APOP signs in with the secret that user shares with the server (RFC 1939 §7). It rests on MD5 and proves nothing about
// the server: prefer Login, which never uses it.
//
// It returns ErrNoTimestamp if the greeting has no timestamp, one that is not a strict msg-id (such ones help to find the
// password, CVE-2007-1558), or one that came before STLS, unprotected.
func (c *Client) APOP(ctx context.Context, user, secret string) error {
	switch {
	case c.signedIn:
		return fmt.Errorf("pop3client: sign in: %w: already signed in", ErrState)
	case c.timestamp == "":
		return fmt.Errorf("pop3client: APOP: %w", ErrNoTimestamp)
	case strings.Contains(user, " "):
		return fmt.Errorf("pop3client: APOP: %w: user name has a space in it", ErrArgument)
	}
	if err := c.checkArgument("APOP", "user name", user); err != nil {
		return err
	}
	line := "APOP " + user + " " + sasl.APOPDigest(c.timestamp, []byte(secret))
	if len(line)+2 > pop3.MaxCommand {
		return fmt.Errorf("pop3client: APOP: %w: user name is too long", ErrArgument)
	}
	if err := c.begin(ctx, "APOP"); err != nil {
		return err
	}
	c.composeLine(line, "APOP "+user+" ****")
	if err := c.flush(); err != nil {
		return err
	}
	if _, err := c.status(); err != nil {
		var refused *pop3.Error
		if errors.As(err, &refused) {
			return fmt.Errorf("pop3client: sign in with APOP: %w", err)
		}
		return err
	}
	c.end()
	c.setSignedIn()
	return c.err
}

// findTimestamp returns the timestamp of a greeting with its angle brackets, or nothing if there is none that is a strict
// msg-id: dot-atoms on both sides of one @ (RFC 5322 §3.6.4), or an address literal at the right.
func findTimestamp(greeting []byte) string {
	start := bytes.IndexByte(greeting, '<')
	if start < 0 {
		return ""
	}
	end := bytes.IndexByte(greeting[start:], '>')
	if end < 0 {
		return ""
	}
	id, rest := greeting[start:start+end+1], greeting[start+end+1:]
	left, right, ok := strings.Cut(string(id[1:len(id)-1]), "@")
	if !ok || len(id) > pop3.MaxStatus || bytes.ContainsAny(rest, "<>") || !isDotAtom(left) {
		return ""
	}
	if literal, ok := strings.CutPrefix(right, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		if !ok || strings.ContainsFunc(literal, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`[]\`, r) }) {
			return ""
		}
	} else if !isDotAtom(right) {
		return ""
	}
	return string(id)
}

// isDotAtom reports whether s is a dot-atom-text (RFC 5322 §3.2.3).
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>[]:;@\,."`, r) }) {
			return false
		}
	}
	return true
}
