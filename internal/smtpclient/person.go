package smtpclient

import (
	"errors"

	"github.com/postamt/postamt/sasl"
)

var (
	// ErrNoStartTLS: the server cannot protect the connection.
	ErrNoStartTLS = errors.New("the server does not offer STARTTLS; nothing was sent in the clear")
	// ErrNoMechanism: the server offers no way to sign in that may be used.
	ErrNoMechanism = errors.New("the server offers no mechanism that keeps the password secret on this connection")
)

// A TrustError says that the server's certificate is not to be trusted.
type TrustError struct{ Err error }

func (e *TrustError) Error() string { return "the server is not trusted: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TrustError) Unwrap() error { return e.Err }

// A PasswordError says that there is no password.
type PasswordError struct{ Err error }

func (e *PasswordError) Error() string { return "there is no password: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *PasswordError) Unwrap() error { return e.Err }

// NeedsPerson reports whether an error of Dial or Mail is one that no waiting cures: a certificate that is not trusted, a
// server without TLS or with no way to sign in, a password that is not taken or wanted and not given. With a
// [*PasswordError], its cause tells.
func NeedsPerson(err error) bool {
	var trust *TrustError
	if errors.As(err, &trust) || errors.Is(err, ErrNoStartTLS) || errors.Is(err, ErrNoMechanism) || errors.Is(err, sasl.ErrServerProof) {
		return true
	}
	var refused *ReplyError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case 530, 534, 535, 538: // RFC 4954 §6, RFC 3207 §4
		return true
	}
	return false
}
