package sasl

import (
	"errors"
	"fmt"
)

// Names of the mechanisms in this package, as they are registered with IANA.
const (
	Plain           = "PLAIN"
	Login           = "LOGIN"
	CRAMMD5         = "CRAM-MD5"
	ScramSHA1       = "SCRAM-SHA-1"
	ScramSHA1Plus   = "SCRAM-SHA-1-PLUS"
	ScramSHA256     = "SCRAM-SHA-256"
	ScramSHA256Plus = "SCRAM-SHA-256-PLUS"
	OAuthBearer     = "OAUTHBEARER"
	XOAuth2         = "XOAUTH2" // never registered
)

// Limits of what this package accepts from the other end, in octets. They are this package's own: the RFCs set none.
const (
	// MaxName is the longest user name or authorization identity.
	MaxName = 1024
	// MaxSecret is the longest password or shared secret.
	MaxSecret = 4096
	// MaxMessage is the longest message of any mechanism here, before base64.
	MaxMessage = 8192
)

// A Server is the server's end of one exchange. It is used once and by one goroutine.
//
// Its method set is that of github.com/emersion/go-sasl, so a Server of either package fits where the other is asked for.
type Server interface {
	// Next takes the client's response and returns the next challenge, or done.
	//
	// The first call has the initial response, or nil if the client sent none; an empty initial response is non-nil and
	// empty. When done is true and challenge is not nil, the challenge is data that goes with success: a protocol
	// without room for it (POP3, RFC 5034 §4) sends it as one more challenge and expects an empty response.
	// An error ends the exchange: it wraps ErrCredentials or ErrMalformed, or is the error of a lookup function.
	Next(response []byte) (challenge []byte, done bool, err error)
}

// A NamedServer is a Server that knows who the client says it is. Every Server of this package is one.
type NamedServer interface {
	Server
	// Names returns the identity to act as (empty for the user's own) and the user's name, both prepared (see Prepare).
	// They are empty until the client has sent them, and they are only a claim until Next has returned done.
	Names() (authz, user string)
}

// A Client is the client's end of one exchange. It is used once and by one goroutine.
type Client interface {
	// Start returns the mechanism's name and the initial response: nil if there is none (the server speaks first),
	// empty and non-nil if it is there and empty.
	Start() (mech string, ir []byte, err error)
	// Next answers a challenge. An error means that the exchange must be cancelled.
	Next(challenge []byte) (response []byte, err error)
}

// A MutualClient is a Client whose exchange proves the server to the client as well. Such a client must treat success
// without that proof as a failure (RFC 5802 §3).
type MutualClient interface {
	Client
	// Verified reports whether the server has proved that it knows the user's credentials.
	Verified() bool
}

// A ServerMechanism is a mechanism that a server can offer.
type ServerMechanism struct {
	// Name is the registered name, in upper case.
	Name string
	// ClientFirst says that the client speaks first, so an initial response is allowed (RFC 4422 §5).
	ClientFirst bool
	// Plaintext says that the exchange shows the secret to anybody who can read it, so it wants TLS.
	Plaintext bool
	// New starts an exchange.
	New func() Server
}

var (
	// ErrCredentials: the exchange was well-formed, the proof in it was wrong. Unknown user and wrong password are one error.
	ErrCredentials = errors.New("sasl: credentials refused")
	// ErrMalformed: the other end's message does not follow the mechanism's syntax.
	ErrMalformed = errors.New("sasl: malformed message")
	// ErrCancelled: the client's end gave up the exchange.
	ErrCancelled = errors.New("sasl: exchange cancelled")
	// ErrServerProof: the server did not prove to the client that it knows the user's credentials. It may be an impostor.
	ErrServerProof = errors.New("sasl: server did not prove that it knows the credentials")
)

// malformed returns an ErrMalformed that says what is wrong. what never has a part of the message in it.
func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
