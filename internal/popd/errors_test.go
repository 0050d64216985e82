package popd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

// Texts and codes are part of what clients rely on.
func TestReply(t *testing.T) {
	t.Parallel()
	foreign := errors.New("something else")
	tests := []struct {
		err   error
		wire  string // empty: left as it is
		is    error  // an error of the library
		fault bool
	}{
		{err: mailstore.ErrInUse, is: pop3server.ErrInUse},
		{err: mailstore.ErrGone, is: pop3server.ErrGone},
		{err: sasl.ErrCredentials, is: pop3server.ErrCredentials},
		{err: sasl.ErrMalformed, is: sasl.ErrMalformed},
		{err: account.ErrDisabled, wire: "-ERR [AUTH] this account is disabled; please ask your postmaster"},
		{err: &account.ThrottledError{After: time.Second}, wire: "-ERR [SYS/TEMP] too many failed sign-ins, please try again later"},
		{err: account.ErrBusy, wire: "-ERR [SYS/TEMP] too many sign-ins at the same time, please try again soon"},
		{err: mailstore.ErrUnavailable, wire: "-ERR [SYS/TEMP] the mail store cannot do this now and has changed nothing, please try again later", fault: true},
		{err: mailstore.ErrRemoved, wire: "-ERR [SYS/PERM] this maildrop was removed", fault: true},
		{
			err:  &mailstore.CorruptError{Drop: 7, UID: "secret-uid", Err: fs.ErrNotExist},
			wire: "-ERR [SYS/PERM] this message is damaged in the store; please tell your postmaster", fault: true,
		},
		{ // damaged is worse than not available
			err:  &mailstore.CorruptError{Drop: 7, Err: mailstore.ErrUnavailable},
			wire: "-ERR [SYS/PERM] this message is damaged in the store; please tell your postmaster", fault: true,
		},
		{err: context.Canceled, is: context.Canceled},
		{err: foreign, is: foreign},
	}
	for _, tt := range tests {
		for _, err := range []error{tt.err, fmt.Errorf("somewhere: %w", tt.err)} {
			got := reply(err)
			var e *pop3.Error
			switch errors.As(got, &e) {
			case false:
				if tt.wire != "" || !errors.Is(got, tt.is) {
					t.Errorf("%v: %v", err, got)
				}
				continue
			case true:
				if e.Error() != tt.wire {
					t.Errorf("%v: %s\nwant %s", err, e, tt.wire)
				}
			}
			if !errors.Is(got, tt.err) {
				t.Errorf("%v: the cause is lost", err)
			}
			if (e.Err != nil) != tt.fault {
				t.Errorf("%v: fault for the log: %t, want %t", err, e.Err != nil, tt.fault)
			}
			if strings.Contains(e.Error(), "secret-uid") || len(e.Error()) > pop3.MaxStatus-2 || e.Hangup {
				t.Errorf("%v: %s", err, e)
			}
		}
	}
	if reply(nil) != nil {
		t.Error("nil is no error")
	}
}

// Every rule has its row above.
func TestEveryRuleIsTested(t *testing.T) {
	t.Parallel()
	if n := len(rules); n != 8 {
		t.Errorf("%d rules, and TestReply knows 8", n)
	}
}
