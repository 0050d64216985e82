package pop3client

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/postamt/postamt/internal/wire"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

var (
	// ErrClosed: the session has ended, by Quit, by Close, or by an earlier error, which is then in the chain as well.
	ErrClosed = errors.New("the session has ended")
	// ErrBusy: a message or a listing is still being read. Read it to its end or close it first.
	ErrBusy = errors.New("an earlier response is still being read")
	// ErrCleartext: the password would go out so that others can read it, and Options.AllowCleartext is not set.
	ErrCleartext = errors.New("refused to send a password without verified TLS")
	// ErrNoMechanism: the server offers no way to sign in that may be used here.
	ErrNoMechanism = errors.New("the server offers no way to sign in that is allowed here")
	// ErrNoSTLS: the server does not offer the STLS that was asked for.
	ErrNoSTLS = errors.New("the server does not offer STLS")
	// ErrArgument: an argument cannot be sent: too long, or with octets that a command cannot carry.
	ErrArgument = errors.New("argument cannot be sent")
	// ErrTooLong: a response was longer than Options allow.
	ErrTooLong = errors.New("response longer than the limit")
	// ErrTimeout: no progress for as long as Options allow. It is os.ErrDeadlineExceeded, too.
	ErrTimeout error = timeoutError{}
	// ErrState: the session is in a state in which this cannot be done.
	ErrState = errors.New("not possible in this state of the session")
	// ErrNoTimestamp: the greeting has no timestamp that APOP could use.
	ErrNoTimestamp = errors.New("the greeting has no timestamp for APOP")
	// ErrBinding stands beside the server's refusal of a sign-in with channel binding. The password is wrong, or the two
	// ends do not see the same connection: somebody is in between, or the server binds to something that this version of
	// TLS does not have (Cyrus 3.6 does). Only who knows that it is the server goes on, on a new connection, without the
	// -PLUS mechanisms in Options.Mechanisms; whoever is in between would have it so, too.
	ErrBinding = errors.New("refused with channel binding")
	// ErrServerProof is sasl.ErrServerProof: the server accepted the sign-in without proving that it knows the password,
	// or its proof was wrong (RFC 5802 §3). That ends the session.
	ErrServerProof = sasl.ErrServerProof
	// ErrAbandoned: a response was given up before its end and was too long to be skipped, so the connection was closed.
	ErrAbandoned = errors.New("response given up before its end, connection closed")
)

type timeoutError struct{}

func (timeoutError) Error() string        { return "the server made no progress in time" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// A ConnError says that the connection failed, or was given up, in the course of command Op. The session is over, and
// deletions that were not confirmed by Quit did not take place, unless Op is QUIT: then nobody knows.
//
// Err is the context's cause, ErrTimeout, io.ErrUnexpectedEOF when the server hung up, or the connection's error.
type ConnError struct {
	// Op is the keyword of the command ("connect", "TLS" or "greeting" before the first).
	Op  string
	Err error
}

// Error returns one sentence.
func (e *ConnError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return "pop3client: " + e.Op + ": the server closed the connection in place of an answer"
	}
	return "pop3client: " + e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Err }

// cause finds what to report for an error of the connection.
func cause(ctx context.Context, err error) error {
	switch {
	case ctx != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	}
	return err
}

// failure makes the error for command op of an error that was met in reading or writing.
func failure(ctx context.Context, op string, err error) error {
	var protocol *pop3.ProtocolError
	switch {
	case ctx != nil && ctx.Err() != nil:
	case errors.As(err, &protocol):
		return err
	case errors.Is(err, wire.ErrLineTooLong), errors.Is(err, wire.ErrEndlessLine), errors.Is(err, wire.ErrTooLong):
		return &pop3.ProtocolError{Op: op, Err: ErrTooLong}
	}
	return &ConnError{Op: op, Err: cause(ctx, err)}
}

// maxShown is how much of a line is kept for people, in octets.
const maxShown = 500

// printable makes what a server sent fit to be shown, and not too long.
func printable(line []byte) string {
	if len(line) > maxShown {
		return pop3.Printable(string(line[:maxShown])) + "..."
	}
	return pop3.Printable(string(line))
}

// IsUnsupported reports whether err is an -ERR reply without a response code, which is how servers answer commands that
// they do not know. It is no proof.
func IsUnsupported(err error) bool {
	var refused *pop3.Error
	return errors.As(err, &refused) && refused.Code == ""
}
