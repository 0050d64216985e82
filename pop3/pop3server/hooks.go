package pop3server

import (
	"time"
)

// Hooks are told what happens, for metrics. Each may be nil. They are called by the connection's goroutine, for different
// connections concurrently, and must not block.
type Hooks struct {
	// ConnOpen is called when a connection has been let in.
	ConnOpen func(c *Conn)
	// ConnClose is called once for each connection for which ConnOpen was called, when it has ended.
	ConnClose func(c *Conn, s Summary)
	// ConnRefused is called when a connection was turned away because of a limit: "connections" (MaxConns) or "address"
	// (MaxConnsPerAddr), in place of ConnOpen; or "account" (MaxConnsPerUser), when it had been let in already.
	ConnRefused func(limit string)
	// Command is called after each command with its keyword in upper case, never with arguments; unknown ones are "?".
	// The time includes the reply as far as it had to be sent.
	Command func(c *Conn, verb string, d time.Duration, err error)
	// AuthDone is called after each attempt to sign in: with nil when the maildrop is open. mech is "PASS", "APOP" or a
	// SASL mechanism; user is what the client said, and empty if it did not get that far.
	AuthDone func(c *Conn, mech, user string, err error)
}

// A Summary is what is known at the end of a session.
type Summary struct {
	// User is the account, empty if nobody signed in.
	User string
	// Mech is how they signed in.
	Mech string
	// TLSVersion and TLSCipher are empty for a connection without TLS.
	TLSVersion, TLSCipher string
	// OctetsIn and OctetsOut are those of the protocol, without what TLS adds.
	OctetsIn, OctetsOut int64
	// Commands is the number of lines taken as commands.
	Commands int
	// Messages is how many the maildrop had.
	Messages int
	// Retr and Top are how many messages were sent whole and in part.
	Retr, Top int
	// Deleted is how many were marked at the end, Removed how many of them were removed.
	Deleted, Removed int
	// Reason is why the session ended.
	Reason Reason
	// Err is what went wrong, if something did. It can hold anything and is for the log.
	Err error
	// Duration is from accepting the connection to its end.
	Duration time.Duration
}

// A Reason says why a session ended.
type Reason string

// The reasons.
const (
	ReasonQuit     Reason = "quit"     // the client said QUIT
	ReasonClosed   Reason = "closed"   // the client hung up without QUIT
	ReasonIdle     Reason = "idle"     // autologout
	ReasonStalled  Reason = "stalled"  // the client did not take the reply
	ReasonAbuse    Reason = "abuse"    // too many bad commands, failed sign-ins or octets
	ReasonRefused  Reason = "refused"  // a limit, or the backend asked for the end
	ReasonTLS      Reason = "tls"      // the handshake failed
	ReasonShutdown Reason = "shutdown" // the server stopped
	ReasonFault    Reason = "fault"    // the backend failed in the middle of a reply
	ReasonPanic    Reason = "panic"    // a bug
)

// An endError ends a session.
type endError struct {
	reason Reason
	err    error
}

func (e *endError) Error() string {
	if e.err == nil {
		return string(e.reason)
	}
	return string(e.reason) + ": " + e.err.Error()
}

func (e *endError) Unwrap() error { return e.err }

func end(reason Reason, err error) *endError { return &endError{reason, err} }
