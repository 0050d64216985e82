package pop3

import (
	"errors"
	"strings"
)

// An Error is an -ERR reply: what goes on the wire, and for the server's own log its cause.
//
// A server that returns an *Error sends Code and Text and nothing else. A client that reads -ERR returns an *Error with
// Code and Text as they were read.
type Error struct {
	// Code is the response code, or empty.
	Code ResponseCode
	// Text is one line for people: no CR, no LF, nothing internal. Servers cut it so that the reply stays within
	// 512 octets (RFC 2449 §4).
	Text string
	// Err is the cause. It is for logs and for errors.Is and errors.As, and is never sent.
	Err error
	// Hangup makes the server close the connection after the reply.
	Hangup bool
}

// Error returns the reply as it stands on the wire, without the cause, so that it can be shown to anybody.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("-ERR ")
	if e.Code != "" {
		b.WriteString("[" + string(e.Code) + "] ")
	}
	b.WriteString(e.Text)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A ProtocolError tells a client that the server broke the rules of the protocol in the course of command Op.
type ProtocolError struct {
	// Op is the keyword of the command that was under way ("greeting" before the first).
	Op string
	// Line is the offending line, cut and with control characters escaped.
	Line string
	// Err is the cause, if there is a more exact one.
	Err error
}

func (e *ProtocolError) Error() string {
	s := "pop3: " + e.Op + ": server broke the protocol"
	if e.Line != "" {
		s += ": " + e.Line
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// codeOf returns the response code of the first *Error in err's chain.
func codeOf(err error) (ResponseCode, bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Code, true
	}
	return "", false
}

// IsAuth reports whether err is an -ERR reply that blames the credentials ([AUTH], RFC 3206 §5).
func IsAuth(err error) bool { c, ok := codeOf(err); return ok && c.Is(CodeAuth) }

// IsInUse reports whether err is an -ERR reply that says that another session holds the maildrop ([IN-USE]).
func IsInUse(err error) bool { c, ok := codeOf(err); return ok && c.Is(CodeInUse) }

// IsTemporary reports whether err is an -ERR reply that may pass by itself: [SYS/TEMP], [IN-USE] or [LOGIN-DELAY].
func IsTemporary(err error) bool {
	c, ok := codeOf(err)
	return ok && (c.Is(CodeSysTemp) || c.Is(CodeInUse) || c.Is(CodeLoginDelay))
}
