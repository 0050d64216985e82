package imapclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/postamt/postamt/pop3/pop3client"
)

// forPeople are failures that no waiting cures.
var forPeople = []error{ErrNoStartTLS, ErrCleartext, ErrNoMechanism, ErrServerProof, ErrFolderName}

// NeedsPerson reports whether an error of Dial is one that no waiting cures: a certificate that is not trusted, a server
// without TLS or with no way to sign in, a password that is not taken (RFC 5530).
func NeedsPerson(err error) bool {
	var (
		refused *Error
		pin     *pop3client.PinError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	return slices.ContainsFunc(forPeople, func(e error) bool { return errors.Is(err, e) }) ||
		errors.As(err, &pin) || errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &refused) && refused.Has("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN", "NOPERM", "NONEXISTENT")
}
