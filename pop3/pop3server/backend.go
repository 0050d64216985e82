package pop3server

import (
	"context"
	"errors"
	"io"

	"github.com/postamt/postamt/sasl"
)

// A Backend connects a Server to accounts and mail. The library owns the protocol, the backend owns the mail: numbering,
// deletion marks, RSET, TOP, sizes shown, byte-stuffing, response codes and timers are the library's.
//
// Its methods are called concurrently for different connections.
type Backend interface {
	// Auth returns the ways to sign in on this connection. It is called after connect and again after STLS.
	Auth(c *Conn) Auth
	// Open opens and exclusively locks the maildrop of id (RFC 1939 §4). It returns ErrInUse at once when another
	// session holds the lock. ctx ends with the connection.
	Open(ctx context.Context, c *Conn, id Identity) (Maildrop, error)
}

// Auth lists the ways to sign in. A nil field is not offered.
//
// Each function returns ErrCredentials (or an error that wraps it) for an unknown user and for a wrong password alike,
// after the same time; any *pop3.Error is sent as it is; every other error is a fault of the system ([SYS/TEMP]).
type Auth struct {
	// Password checks a user's password: USER and PASS, AUTH PLAIN and AUTH LOGIN. authz is the identity to act as,
	// empty for the user's own (only PLAIN can carry one).
	Password func(ctx context.Context, mech, authz, user, password string) (Identity, error)
	// Secret returns a user's secret in the clear, for APOP and CRAM-MD5, which cannot do without.
	Secret func(ctx context.Context, mech, user string) (secret []byte, id Identity, err error)
	// SCRAM returns what a server keeps of a user's password for SCRAM. For an unknown user it returns credentials that
	// are stable and fit nothing (see sasl.FakeScramCredentials), so that nobody learns who exists.
	SCRAM func(ctx context.Context, mech, authz, user string) (sasl.ScramCredentials, Identity, error)
	// Result, if set, hears how each exchange that used Secret or SCRAM ended, so that failures can be counted: nil for
	// success, else an error that wraps ErrCredentials. It may wait (a slowed-down sign-in), and may return an error to
	// refuse. With SCRAM it hears of success before the client is shown that its password was right, so a refusal does not
	// tell; a client that gives up after that has not signed in all the same.
	Result func(ctx context.Context, mech, user string, err error) error
	// SASL lists further mechanisms, in order of preference; id of a success comes from Identify.
	SASL []Mechanism
}

// A Mechanism is a SASL mechanism of the backend's own.
type Mechanism struct {
	sasl.ServerMechanism
	// Identify returns who signed in, after the exchange that New started succeeded.
	Identify func(sasl.Server) Identity
}

// Identity is who has signed in.
type Identity struct {
	// User is the name of the account whose maildrop is opened.
	User string
	// Mech is how they signed in: "PASS", "APOP", or a SASL mechanism's name. The library fills it in.
	Mech string
	// Subject is the backend's own: it comes back in Open.
	Subject any
}

// A Maildrop is one locked maildrop for one session. Its methods are never called concurrently.
type Maildrop interface {
	// Scan returns the messages that were present when the lock was taken, in delivery order. It is called once.
	Scan(ctx context.Context) (Listing, error)
	// Message opens message i (0-based) of the Listing, for RETR and TOP. ErrGone says that it is there no longer.
	Message(ctx context.Context, i int) (Body, error)
	// Update removes the marked messages durably, all or none; a store that cannot do that returns a *PartialError. It is
	// called once, on QUIT only, also without marks. Its context outlives the connection, because clients hang up
	// right after QUIT.
	Update(ctx context.Context, u Outcome) error
	// Close releases the lock. It is called exactly once on every path: QUIT, cut, timeout, panic. It removes nothing.
	Close() error
}

// A Listing is an immutable list of messages. It must answer from memory: sizes and unique-ids are found at delivery.
type Listing interface {
	// Len returns the number of messages.
	Len() int
	// Octets returns the sum of all sizes.
	Octets() int64
	// Size returns the octets of message i, line ends counted as CRLF, before byte-stuffing.
	Size(i int) int64
	// AppendUID appends the unique-id of message i: 1 to 70 octets of 0x21 to 0x7E, never used again in this maildrop
	// (RFC 1939 §7).
	AppendUID(dst []byte, i int) []byte
}

// A Body is an open message.
type Body struct {
	// R reads the message. The library closes it. If the connection is plain TCP, Form is FormWire and R is an *os.File
	// at its start, the kernel copies (sendfile). If R has the methods Len and WriteTo of a bytes.Reader, it is taken for
	// one of octets in memory, and they are not copied into a buffer first.
	R io.ReadCloser
	// Form says what R's octets are.
	Form Form
	// Size is the number of octets R gives. For FormCRLF and FormWire it equals the Listing's size.
	Size int64
	// Header is the number of octets up to and including the empty line, 0 for unknown. With it TOP n 0 needs no search.
	Header int64
}

// A Form is the form in which a Body is stored.
type Form uint8

const (
	// FormText: any line ends, any last line. The library makes line ends CRLF and byte-stuffs.
	FormText Form = iota
	// FormCRLF: every line ends with CRLF. The library byte-stuffs.
	FormCRLF
	// FormWire: every line ends with CRLF and none begins with a dot, so it can be sent verbatim. It is a promise about
	// untrusted octets: where it is wrong, a message can end its own response. Options.VerifyWire checks it.
	FormWire
)

// An Outcome is what a session did, in 0-based indexes of the Listing, ascending.
type Outcome struct {
	// Deleted are the messages to be removed.
	Deleted []int
	// Retrieved are the messages that were sent whole by RETR, those deleted included.
	Retrieved []int
}

var (
	// ErrInUse: another session holds the maildrop's lock. Sent as -ERR [IN-USE].
	ErrInUse = errors.New("pop3server: maildrop is in use")
	// ErrGone: the message was removed by somebody else during the session.
	ErrGone = errors.New("pop3server: message is gone")
	// ErrCredentials is sasl.ErrCredentials: sent as -ERR [AUTH].
	ErrCredentials = sasl.ErrCredentials
)

// A PartialError is returned by Update when only some of the marked messages could be removed. None that was not marked
// is ever among them. Sent as -ERR (RFC 1939 §6).
type PartialError struct {
	// Removed are the indexes that are gone.
	Removed []int
	Err     error
}

func (e *PartialError) Error() string {
	return "pop3server: some deleted messages not removed: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }
