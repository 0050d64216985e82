package pop3source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// forPeople are failures that no waiting cures.
var forPeople = []error{
	pop3client.ErrCleartext, pop3client.ErrNoMechanism, pop3client.ErrNoSTLS, pop3client.ErrArgument,
	pop3client.ErrNoTimestamp, pop3client.ErrServerProof, pop3client.ErrProxyAuth,
}

// classify says what a failure to get in means. capa is what the server announced, if that is known.
func classify(err error, capa pop3.Capabilities) error {
	var (
		refused *pop3.Error
		pin     *pop3client.PinError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		conn    *pop3client.ConnError
	)
	switch {
	case slices.ContainsFunc(forPeople, func(e error) bool { return errors.Is(err, e) }),
		errors.As(err, &pin), errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return &collect.PermanentError{Err: err}
	case errors.As(err, &refused):
		if errors.Is(err, pop3client.ErrBinding) {
			// No second try without: that is what somebody in between would wait for.
			err = fmt.Errorf("%w: the password is wrong; or, if it is right, the server may be one that cannot bind TLS 1.3, "+
				"as Cyrus: then allow ways to sign in without -PLUS only", err)
		}
		return classifyRefusal(err, refused, capa)
	case errors.As(err, &conn) && errors.Is(err, io.ErrUnexpectedEOF) && slices.Contains([]string{"PASS", "AUTH", "APOP"}, conn.Op):
		return &collect.RefusedError{Err: err} // some servers hang up on a wrong password
	}
	return err
}

func classifyRefusal(err error, refused *pop3.Error, capa pop3.Capabilities) error {
	switch {
	case pop3.IsAuth(refused), refused.Code.Is(pop3.CodeSysPerm):
		return &collect.PermanentError{Err: err}
	case refused.Code.Is(pop3.CodeLoginDelay):
		delay, _, _ := capa.LoginDelay()
		return &collect.BusyError{Err: err, After: delay}
	case pop3.IsInUse(refused), refused.Code == "" && soundsBusy(refused.Text):
		return &collect.BusyError{Err: err}
	case pop3.IsTemporary(refused), capa.Has(pop3.CapAuthRespCode):
		// A server that marks wrong passwords (RFC 3206 §6) did not mark this one.
		return &collect.TemporaryError{Err: err}
	}
	return &collect.RefusedError{Err: err}
}

// soundsBusy knows what servers without response codes say when another session holds the mailbox.
func soundsBusy(text string) bool {
	text = strings.ToLower(text)
	for _, word := range []string{"in use", "already locked", "lock busy", "is locked by", "unable to lock", "wait a few minutes", "another session"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
