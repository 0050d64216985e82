package pop3server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// Replies to what a client does wrong. Tests pin the texts.
var (
	errUnknown     = misuse("unknown command")
	errLineTooLong = misuse("command line too long")
	errNotASCII    = misuse("only printable ASCII is allowed in arguments")
	errWrongState  = misuse("command is not allowed in this state")
	errNoArguments = misuse("command takes no arguments")
	errSyntax      = misuse("wrong arguments")
	errBadNumber   = misuse("message number must be a decimal number from 1")
)

// errMisused is the cause of those replies that count as bad commands.
var errMisused = errors.New("pop3server: bad command")

func misuse(text string) *pop3.Error { return &pop3.Error{Text: text, Err: errMisused} }

// settle ends a command: it answers err, if there is one, and keeps the account of bad commands. An error that it
// returns ends the session.
func (c *Conn) settle(err error) error {
	if err == nil {
		if c.signedIn() {
			c.bad = 0
		}
		if c.w.Err() != nil {
			return c.flush()
		}
		return nil
	}
	var ended *endError
	if errors.As(err, &ended) {
		return ended
	}
	e := c.wireError(err)
	reason := ReasonRefused
	if errors.Is(err, errMisused) {
		reason = ReasonAbuse
		c.bad++
		if over(c.bad, c.s.opt.MaxBadCommands) {
			e = &pop3.Error{Text: "too many bad commands", Err: err, Hangup: true}
		}
	}
	c.w.Fail(string(e.Code), e.Text)
	if e.Hangup {
		return end(reason, e)
	}
	return nil
}

// wireError returns what to tell the client about err. A fault of the system is logged under a reference, which is all
// that the client learns.
func (c *Conn) wireError(err error) *pop3.Error {
	var e *pop3.Error
	switch {
	case errors.As(err, &e):
		if e.Err != nil && (e.Code.Is(pop3.CodeSysTemp) || e.Code.Is(pop3.CodeSysPerm)) {
			c.s.opt.Logger.Error("POP3 command failed", "conn", c.ID(), "user", c.sum.User, "reply", e.Error(), "err", e.Err)
		}
		if c.signedIn() && (e.Code.Is(pop3.CodeAuth) || e.Code.Is(pop3.CodeInUse) || e.Code.Is(pop3.CodeLoginDelay)) {
			// These codes are for ways to sign in only (RFC 2449 §8.1, RFC 3206 §5).
			return &pop3.Error{Text: e.Text, Err: err, Hangup: e.Hangup}
		}
		return e
	case c.signedIn() && (errors.Is(err, ErrInUse) || errors.Is(err, ErrCredentials)):
	case errors.Is(err, ErrInUse):
		return &pop3.Error{Code: pop3.CodeInUse, Text: "another session has the maildrop locked", Err: err}
	case errors.Is(err, ErrCredentials):
		return &pop3.Error{Code: pop3.CodeAuth, Text: "sign-in failed: wrong user name or password", Err: err}
	case errors.Is(err, sasl.ErrCancelled):
		return &pop3.Error{Text: "sign-in cancelled", Err: err}
	case errors.Is(err, sasl.ErrMalformed):
		return &pop3.Error{Text: "sign-in failed: malformed response", Err: err}
	case errors.Is(err, ErrGone):
		return &pop3.Error{Text: "message is there no longer", Err: err}
	}
	ref := reference()
	c.s.opt.Logger.Error("POP3 command failed", "conn", c.ID(), "user", c.sum.User, "ref", ref, "err", err)
	return &pop3.Error{Code: pop3.CodeSysTemp, Text: "internal error, ref " + ref, Err: err}
}

// reference returns a random text by which a reply can be found in the log.
func reference() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
