package imapclient

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

var (
	// ErrNoStartTLS: the server does not offer TLS on this port.
	ErrNoStartTLS = errors.New("the server does not offer STARTTLS")
	// ErrCleartext: signing in would show the password to others on the way.
	ErrCleartext = errors.New("signing in would show the password to everybody on the way")
	// ErrNoMechanism: the server offers no way to sign in that may be used.
	ErrNoMechanism = errors.New("the server offers no way to sign in that may be used")
	// ErrServerProof: the server accepted the sign-in without proving that it knows the password.
	ErrServerProof = errors.New("the server did not prove that it knows the password")
	// ErrGone: the message is not there any more.
	ErrGone = errors.New("the message is not there any more")
	// ErrTooLarge: the server sends, or announces, more than is permitted.
	ErrTooLarge = errors.New("the server sends more than is permitted")
	// ErrProtocol: the server does not speak IMAP, or badly.
	ErrProtocol = errors.New("the server does not keep to the protocol")
	// ErrClosed: the connection is closed.
	ErrClosed = errors.New("the connection is closed")
	// ErrFolderName: the name of a folder that cannot be one.
	ErrFolderName = errors.New("a folder's name is up to 1000 octets of UTF-8 without control characters")
)

// An Error is a server's refusal.
type Error struct {
	// Op is the command that was refused, or "greeting".
	Op string
	// Status is "NO", "BAD" or "BYE".
	Status string
	// Code is the response code without brackets and arguments, in upper case, or empty (RFC 3501 §7.1, RFC 5530).
	Code string
	Text string
}

func (e *Error) Error() string {
	text := e.Op + ": the server says " + e.Status
	if e.Code != "" {
		text += " [" + e.Code + "]"
	}
	if e.Text != "" {
		text += " " + e.Text
	}
	return text
}

// A ConnError says that the connection failed, or was given up: what was under way may have happened or not.
type ConnError struct {
	Op  string
	Err error
}

func (e *ConnError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Err }

// refusal translates the library's error.
func refusal(op string, err *imap.Error) *Error {
	return &Error{Op: op, Status: string(err.Type), Code: strings.ToUpper(string(err.Code)), Text: printable(err.Text)}
}

// printable is what a server says, made fit to be shown.
func printable(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// Has reports whether the code is one of those.
func (e *Error) Has(codes ...string) bool { return slices.Contains(codes, e.Code) }
