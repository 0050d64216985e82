package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/terminal"
)

// The exit statuses. `postamt deliver` has its own, see deliver.go.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const exitHelp = `Exit status: 0 done, 1 not done or not all of it (standard error says what, where and what to do next),
2 wrong command line. "postamt deliver" has those of sysexits.h; "postamt fetch" has also 75, try again later.`

// An exitError is an error with the status it ends the program with.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// failure returns an error of one sentence that ends the program with exitFailed.
func failure(format string, args ...any) error { return fmt.Errorf(format, args...) }

// usage returns an error of one sentence about the command line.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// errShown ends the program with exitFailed; what is wrong was printed already.
var errShown = errors.New("")

// exit prints an error and returns the status to end with.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	for line := range strings.Lines(explain(err)) {
		_, _ = fmt.Fprintf(a.errs, "postamt: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return exitFailed
}

// explain makes of an error one sentence that says what to do next, where there is more to say than the error does.
func explain(err error) string {
	name, badName := errors.AsType[*account.NameError](err)
	password, badPassword := errors.AsType[*account.PasswordError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, terminal.ErrInterrupted):
		return "interrupted"
	case errors.Is(err, terminal.ErrNoTerminal):
		return "there is no terminal to ask on, use --password-stdin or --generate"
	case badName:
		return fmt.Sprintf("the name %.80q %s", name.Name, name.Reason)
	case badPassword:
		return "the password " + password.Reason
	case errors.Is(err, mailstore.ErrInUse):
		return "the maildrop is in use by a session, try again when that has ended"
	case errors.Is(err, catalog.ErrBusy):
		return "another process holds the catalog for too long, try again"
	case diskFull(err):
		return "the disk of the data folder is full, make room and try again"
	case errors.Is(err, catalog.ErrCorrupt):
		return plainly(err.Error()) + ", restore it from a backup"
	}
	return plainly(err.Error())
}

// diskFull reports whether there is no room for the data. Other files (an export, standard output) are named by their errors.
func diskFull(err error) bool {
	if errors.Is(err, catalog.ErrFull) {
		return true
	}
	return errors.Is(err, mailstore.ErrUnavailable) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}

// plainly takes the names of our packages off the front of an error: they say nothing to a person.
func plainly(text string) string {
	for {
		name, rest, ok := strings.Cut(text, ": ")
		switch {
		case ok && slices.Contains([]string{"mailstore", "sqlstore", "catalog", "account", "body", "mailfile", "tlsconf", "collect", "sink", "pop3client", "TLS"}, name):
			text = rest
		default:
			return text
		}
	}
}
