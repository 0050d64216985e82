package popd

import (
	"errors"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A rule says what a client hears of a kind of error.
type rule struct {
	is    func(error) bool
	reply pop3.Error
	// as, if set, is an error of the library that has a reply of its own.
	as error
	// fault says that an operator should know: the library writes the cause of such a reply to the log as an error.
	fault bool
}

// rules are tried in order. What none fits stays as it is: wrong credentials are the library's to answer with [AUTH],
// the end of a context and faults of the system with [SYS/TEMP].
var rules = []rule{
	{is: kind(mailstore.ErrInUse), as: pop3server.ErrInUse},
	{is: kind(mailstore.ErrGone), as: pop3server.ErrGone},
	{is: kind(account.ErrDisabled), reply: pop3.Error{
		Code: pop3.CodeAuth, Text: "this account is disabled; please ask your postmaster",
	}},
	{is: typed[*account.ThrottledError], reply: pop3.Error{
		Code: pop3.CodeSysTemp, Text: "too many failed sign-ins, please try again later",
	}},
	{is: kind(account.ErrBusy), reply: pop3.Error{
		Code: pop3.CodeSysTemp, Text: "too many sign-ins at the same time, please try again soon",
	}},
	{is: typed[*mailstore.CorruptError], fault: true, reply: pop3.Error{
		Code: pop3.CodeSysPerm, Text: "this message is damaged in the store; please tell your postmaster",
	}},
	{is: kind(mailstore.ErrRemoved), fault: true, reply: pop3.Error{
		Code: pop3.CodeSysPerm, Text: "this maildrop was removed",
	}},
	{is: kind(mailstore.ErrUnavailable), fault: true, reply: pop3.Error{
		Code: pop3.CodeSysTemp, Text: "the mail store cannot do this now and has changed nothing, please try again later",
	}},
}

func kind(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func typed[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// A refusal is a reply that is nobody's fault. Its cause is beside the reply, not in it: hooks find it, and it is no
// error in the log, which guessers could fill otherwise.
type refusal struct {
	reply *pop3.Error
	cause error
}

func (e *refusal) Error() string   { return e.cause.Error() }
func (e *refusal) Unwrap() []error { return []error{e.reply, e.cause} }

// reply returns what the library is told of err.
func reply(err error) error {
	if err == nil {
		return nil
	}
	for _, r := range rules {
		if !r.is(err) {
			continue
		}
		e := r.reply
		switch {
		case r.as != nil:
			return r.as
		case r.fault:
			e.Err = err
			return &e
		}
		return &refusal{&e, err}
	}
	return err
}
