package collect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
)

// once runs the account as cron does, in a process of its own, and returns what it amounted to and the alarms.
func once(t *testing.T, b *bench, alarmAfter time.Duration, openErr error) (class collect.Class, alarms []string) {
	t.Helper()
	b.box.openErr = openErr
	s := &collect.Schedule{
		Accounts: []collect.Account{b.account}, Options: b.opt, AlarmAfter: alarmAfter,
		Alarm: func(_ context.Context, a collect.Alarm) error {
			word := a.Class.String()
			if a.Cleared {
				word = "cleared"
			}
			alarms = append(alarms, word)
			return nil
		},
	}
	return collect.Classify(s.Once(t.Context())), alarms
}

// Refusals without a reason are counted across processes: the third in a row needs a person, whatever else went wrong in
// between, and a success ends the count.
func TestRefusalsAreCountedAcrossRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	refused := &collect.RefusedError{Err: errors.New("-ERR no")}
	for i, step := range []struct {
		err    error
		want   collect.Class
		alarms []string
	}{
		{refused, collect.Refused, nil},
		{errors.New("connection reset"), collect.Temporary, nil},
		{refused, collect.Refused, nil},
		{nil, collect.OK, nil},
		{refused, collect.Refused, nil},
		{refused, collect.Refused, nil},
		{refused, collect.Permanent, []string{"permanent"}},
		{refused, collect.Permanent, nil},
		{nil, collect.OK, []string{"cleared"}},
		{refused, collect.Refused, nil},
	} {
		class, alarms := once(t, b, 0, step.err)
		if diff := cmp.Diff(step.alarms, alarms); class != step.want || diff != "" {
			t.Errorf("run %d: %v, want %v; alarms (-want +got):\n%s", i+1, class, step.want, diff)
		}
		status, err := b.opt.Journal.Status(t.Context(), "home")
		if err != nil || status.Class != step.want {
			t.Errorf("run %d: the journal says %v, %v", i+1, status.Class, err)
		}
	}
}

// An error is cut between its letters.
func TestLongErrorIsCut(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.box.openErr = errors.New("x" + strings.Repeat("\u00e4", 400))
	if _, err := b.tryRun(); err == nil {
		t.Fatal("no error")
	}
	s, err := b.opt.Journal.Status(t.Context(), "home")
	if err != nil || !utf8.ValidString(s.Error) || len(s.Error) != 499 {
		t.Errorf("%d octets, %q, %v", len(s.Error), s.Error, err)
	}
}

// For how long an account has been failing is known across processes, also if it never worked.
func TestFailingForTooLongAcrossRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	away := errors.New("no route to host")
	for i, step := range []struct {
		later  time.Duration
		err    error
		alarms []string
	}{
		{0, away, nil},
		{23 * time.Hour, away, nil},
		{time.Hour, away, []string{"temporary"}},
		{time.Hour, away, nil},
		{time.Hour, nil, []string{"cleared"}},
		{time.Hour, away, nil},
		{24 * time.Hour, away, []string{"temporary"}},
	} {
		b.clock = b.clock.Add(step.later)
		if _, alarms := once(t, b, 24*time.Hour, step.err); cmp.Diff(step.alarms, alarms) != "" {
			t.Errorf("run %d: alarms %v, want %v", i+1, alarms, step.alarms)
		}
	}
}
