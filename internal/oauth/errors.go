package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// A ServerError is what an authorization server answered in place of a token.
type ServerError struct {
	// Host is the server, Status that of HTTP.
	Host   string
	Status int
	// Code is the error of RFC 6749 §5.2, empty if there was none. Text is what the server says about it to people.
	Code, Text string
}

// Error returns one sentence.
func (e *ServerError) Error() string {
	text := fmt.Sprintf("%s answered with HTTP status %d", e.Host, e.Status)
	if e.Code != "" {
		text = fmt.Sprintf("%s said %s", e.Host, e.Code)
	}
	if e.Text != "" {
		text += " (" + e.Text + ")"
	}
	return text
}

// A personError does not pass by itself.
type personError struct{ error }

func (e *personError) Unwrap() error { return e.error }

// NeedsPerson reports whether err, from this package, does not pass by itself: somebody has to sign in, or to mend the
// configuration.
func NeedsPerson(err error) bool {
	_, ok := errors.AsType[*personError](err)
	return ok
}

// A storeError is about where tokens are kept.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// serverError makes of an error of the module one that says what the server said, without anything secret in it.
func serverError(address string, err error, secrets ...string) error {
	host := address
	if u, parseErr := url.Parse(address); parseErr == nil {
		host = u.Host
	}
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer):
		e := &ServerError{Host: host, Code: plain(answer.ErrorCode, secrets), Text: plain(answer.ErrorDescription, secrets)}
		if answer.Response != nil {
			e.Status = answer.Response.StatusCode
		}
		return e
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	var conn *url.Error
	if errors.As(err, &conn) {
		return fmt.Errorf("%s cannot be asked: %w", host, conn.Err)
	}
	return fmt.Errorf("%s did not answer as it must: %s", host, plain(err.Error(), secrets))
}

// maxText bounds what is shown of a server's words, in octets.
const maxText = 300

// plain makes what a server said fit to be shown: bounded, of one line, and without a secret that it may have repeated.
func plain(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(s, secret) {
			return ""
		}
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.TrimSpace(s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
