package imapsource

import (
	"errors"
	"io"
	"strings"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/imapclient"
)

// classify says what a failure to get in means.
func classify(err error) error {
	var (
		refused *imapclient.Error
		conn    *imapclient.ConnError
	)
	switch {
	case imapclient.NeedsPerson(err):
		return &collect.PermanentError{Err: err}
	case errors.As(err, &refused):
		return classifyRefusal(err, refused)
	case errors.As(err, &conn) && errors.Is(err, io.ErrUnexpectedEOF) && (conn.Op == "LOGIN" || strings.HasPrefix(conn.Op, "AUTHENTICATE")):
		return &collect.RefusedError{Err: err} // some servers hang up on a wrong password
	}
	return err
}

// classifyRefusal goes by the code if there is one (RFC 5530).
func classifyRefusal(err error, refused *imapclient.Error) error {
	switch {
	case refused.Has("INUSE", "LIMIT", "OVERQUOTA", "THROTTLED"), // the last two are Gmail's, of too much traffic
		refused.Code == "" && soundsBusy(refused.Text):
		return &collect.BusyError{Err: err}
	case refused.Has("UNAVAILABLE", "SERVERBUG"), refused.Status == "BYE":
		return &collect.TemporaryError{Err: err}
	}
	return &collect.RefusedError{Err: err}
}

// soundsBusy knows what servers without codes say when there are too many sessions.
func soundsBusy(text string) bool {
	text = strings.ToLower(text)
	for _, word := range []string{"too many simultaneous", "too many connections", "maximum number of connections", "in use", "locked"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// classifyDelete says what a failure to delete means.
func classifyDelete(err error) error {
	var refused *imapclient.Error
	if errors.Is(err, imapclient.ErrOthersMarked) || errors.As(err, &refused) && refused.Has("NOPERM") {
		return &collect.PermanentError{Err: err}
	}
	return err
}
