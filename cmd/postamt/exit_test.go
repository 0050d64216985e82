package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// What a person reads says what to do next, and has no names of packages in front.
func TestExplain(t *testing.T) {
	t.Parallel()
	const full = "the disk of the data folder is full, make room and try again"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("the message cannot be taken in: %w: body: writing 01: %w", mailstore.ErrUnavailable, syscall.ENOSPC), full},
		{fmt.Errorf("%w: body: writing 01: %w", mailstore.ErrUnavailable, syscall.EDQUOT), full},
		{fmt.Errorf("add: %w: database or disk is full (13)", catalog.ErrFull), full},
		// The disk of something else: the error says where.
		{fmt.Errorf("mailfile: cannot write mbox /tmp/x: %w", syscall.ENOSPC), "cannot write mbox /tmp/x: no space left on device"},
		{fmt.Errorf("%w: I/O", mailstore.ErrUnavailable), "store is not available: I/O"},
		{fmt.Errorf("reading: %w", context.Canceled), "interrupted"},
		{fmt.Errorf("sqlstore: %w", mailstore.ErrInUse), "the maildrop is in use by a session, try again when that has ended"},
		{errors.New("sqlstore: catalog: it broke"), "it broke"},
		{errors.New("/etc/x: it broke"), "/etc/x: it broke"},
	} {
		if got := explain(tt.err); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}
