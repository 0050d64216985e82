package catalog

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
)

// The kinds of failure a caller can act on. Errors of this package wrap one of them beside the database's own error.
var (
	// ErrFull: the disk (or a quota) has no room. Nothing of the call was kept. It is syscall.ENOSPC, too, for callers that
	// do not know this package.
	ErrFull = fmt.Errorf("catalog: disk is full: %w", syscall.ENOSPC)
	// ErrReadOnly: the catalog cannot be written: a read-only disk, or file permissions.
	ErrReadOnly = errors.New("catalog: catalog is read-only")
	// ErrIO: the disk failed, or a file could not be opened.
	ErrIO = errors.New("catalog: I/O error")
	// ErrBusy: another process held the catalog for longer than Options.BusyTimeout.
	ErrBusy = errors.New("catalog: catalog is busy")
	// ErrConstraint: a UNIQUE, NOT NULL, CHECK or FOREIGN KEY constraint forbids the change.
	ErrConstraint = errors.New("catalog: constraint violated")
	// ErrCorrupt: the file is damaged or not a catalog.
	ErrCorrupt = errors.New("catalog: catalog is damaged")
	// ErrClosed: the DB was closed.
	ErrClosed = errors.New("catalog: closed")
)

// A SchemaError says that the catalog was written by a newer program.
type SchemaError struct {
	Component string
	Have      int // the schema's number in the file
	Know      int // the newest number this program knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("catalog: the schema of %s is number %d, and this program knows %d at most: "+
		"the catalog was used by a newer version; install that version or restore a backup made before the upgrade",
		e.Component, e.Have, e.Know)
}

// kindError joins one of the kinds above with its cause.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.kind.Error() + ": " + e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// The primary result codes of SQLite that have a kind (https://www.sqlite.org/rescode.html).
const (
	codePerm       = 3
	codeBusy       = 5
	codeLocked     = 6
	codeNoMem      = 7
	codeReadOnly   = 8
	codeIOErr      = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCantOpen   = 14
	codeProtocol   = 15
	codeConstraint = 19
	codeNotADB     = 26
)

// classify adds the kind to an error of the database. Other errors, and those classified already, stay as they are.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*kindError](err); ok {
		return err
	}
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch se.Code() & 0xff {
	case codeFull:
		return &kindError{ErrFull, err}
	case codeReadOnly, codePerm:
		return &kindError{ErrReadOnly, err}
	case codeIOErr, codeCantOpen, codeNoMem:
		return &kindError{ErrIO, err}
	case codeBusy, codeLocked, codeProtocol:
		return &kindError{ErrBusy, err}
	case codeConstraint:
		return &kindError{ErrConstraint, err}
	case codeCorrupt, codeNotADB:
		return &kindError{ErrCorrupt, err}
	}
	return err
}
