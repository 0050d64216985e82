package collect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
)

// schedule runs an account for a time in a bubble, with errors in turn (the last one for ever), and returns when it ran,
// in seconds, and the alarms.
func schedule(t *testing.T, interval, span time.Duration, alarmAfter time.Duration, delay time.Duration, errs ...error) (runs []int, alarms []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.box.info.LoginDelay = delay
		b.opt.Now = nil
		begun := time.Now()
		s := &collect.Schedule{
			Accounts: []collect.Account{b.account}, Options: b.opt, AlarmAfter: alarmAfter,
			Rand: func() float64 { return 0.5 }, // no jitter; the first run after half of the 10 s
			Alarm: func(_ context.Context, a collect.Alarm) error {
				word := a.Class.String()
				if a.Cleared {
					word = "cleared"
				}
				alarms = append(alarms, fmt.Sprintf("%s after %v", word, time.Since(begun).Round(time.Second)))
				return nil
			},
			Fetch: func(ctx context.Context, a collect.Account, o collect.Options) (collect.Report, error) {
				runs = append(runs, int(time.Since(begun).Seconds()))
				b.box.openErr = errs[min(len(runs), len(errs))-1]
				return collect.Run(ctx, a, o)
			},
		}
		s.Accounts[0].Interval = interval
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return runs, alarms
}

func TestScheduleBacksOff(t *testing.T) {
	t.Parallel()
	var (
		temporary = errors.New("connection reset")
		busy      = &collect.BusyError{Err: errors.New("[IN-USE]")}
		later     = &collect.BusyError{Err: errors.New("[LOGIN-DELAY]"), After: 400 * time.Second}
		never     = &collect.BusyError{Err: errors.New("[LOGIN-DELAY]"), After: 1 << 62}
		refused   = &collect.RefusedError{Err: errors.New("-ERR no")}
		permanent = &collect.PermanentError{Err: errors.New("[AUTH]")}
	)
	for _, test := range []struct {
		name   string
		errs   []error
		delay  time.Duration
		after  time.Duration
		span   time.Duration
		runs   []int
		alarms []string
	}{
		{name: "success", errs: []error{nil}, span: 14 * time.Minute, runs: []int{5, 305, 605}},
		{name: "LOGIN-DELAY announced", errs: []error{nil}, delay: 10 * time.Minute, span: 25 * time.Minute, runs: []int{5, 605, 1205}},
		{name: "in use", errs: []error{busy, busy, nil}, span: 7 * time.Minute, runs: []int{5, 35, 95, 395}},
		{name: "in use for ever", errs: []error{busy}, span: 16 * time.Minute, runs: []int{5, 35, 95, 215, 455, 755}},
		{name: "LOGIN-DELAY answered", errs: []error{later, nil}, span: 10 * time.Minute, runs: []int{5, 405}},
		{name: "LOGIN-DELAY of years announced", errs: []error{nil}, delay: 1 << 62, span: 49 * time.Hour, runs: []int{5, 86405, 172805}},
		{name: "LOGIN-DELAY of years answered", errs: []error{never, nil}, span: 24*time.Hour + time.Minute, runs: []int{5, 86405}},
		{
			name: "temporary", errs: []error{temporary}, span: 4 * time.Hour,
			runs: []int{5, 305, 905, 2105, 4505, 8105, 11705},
		},
		{
			name: "temporary for too long", errs: []error{temporary, temporary, temporary, nil}, after: 10 * time.Minute, span: 40 * time.Minute,
			runs: []int{5, 305, 905, 2105}, alarms: []string{"temporary after 15m5s", "cleared after 35m5s"},
		},
		{
			name: "wrong password", errs: []error{permanent}, span: 4 * time.Hour,
			runs: []int{5, 3605, 7205, 10805}, alarms: []string{"permanent after 5s"},
		},
		{
			name: "refused without a reason", errs: []error{refused, refused, refused, nil}, span: 2 * time.Hour,
			runs:   []int{5, 305, 905, 4505, 4805, 5105, 5405, 5705, 6005, 6305, 6605, 6905},
			alarms: []string{"permanent after 15m5s", "cleared after 1h15m5s"},
		},
		{
			name: "refused now and then", errs: []error{refused, nil, refused, refused, nil}, span: 30 * time.Minute,
			runs: []int{5, 305, 605, 905, 1505},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			runs, alarms := schedule(t, 5*time.Minute, test.span, test.after, test.delay, test.errs...)
			if diff := cmp.Diff(test.runs, runs); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.alarms, alarms); diff != "" {
				t.Errorf("alarms (-want +got):\n%s", diff)
			}
		})
	}
}

// Many accounts run at the same time, but no more than may, and no more at one host than that permits.
func TestSchedulePoliteness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		s := &collect.Schedule{
			Options: collect.Options{Journal: newJournal(t)}, Parallel: 5, PerHost: 2,
			Fetch: func(_ context.Context, a collect.Account, _ collect.Options) (collect.Report, error) {
				mu.Lock()
				for _, k := range []string{a.Host, "all"} {
					now[k]++
					most[k] = max(most[k], now[k])
				}
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				defer mu.Unlock()
				now[a.Host]--
				now["all"]--
				return collect.Report{Account: a.Name}, nil
			},
		}
		for i := range 20 {
			s.Accounts = append(s.Accounts, collect.Account{Name: fmt.Sprint(i), Host: fmt.Sprintf("h%d", i%4)})
		}
		if err := s.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"all": 5, "h0": 2, "h1": 2, "h2": 2, "h3": 2}, most); diff != "" {
			t.Errorf("at the same time (-want +got):\n%s", diff)
		}
	})
}

// An alarm that was raised is not raised again by another process, and one that could not be told is.
func TestAlarmOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.box.openErr = &collect.PermanentError{Err: errors.New("[AUTH]")}
	told, deaf := 0, true
	for range 4 {
		s := &collect.Schedule{Accounts: []collect.Account{b.account}, Options: b.opt, Alarm: func(context.Context, collect.Alarm) error {
			if deaf {
				deaf = false
				return errors.New("webhook is down")
			}
			told++
			return nil
		}}
		if err := s.Once(t.Context()); collect.Classify(err) != collect.Permanent {
			t.Error(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	status, err := b.opt.Journal.Status(t.Context(), "home")
	if err != nil || status.Failures != 4 || status.Error != "[AUTH]" || status.Class != collect.Permanent || status.Alarmed.IsZero() {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, messages(3))
	b.account.Rules.MaxMessages = 2
	b.run()
	all, err := b.opt.Journal.Statuses(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	s := all[0]
	if s.Account != "home" || s.Listed != 3 || s.Fetched != 2 || s.Remembered != 3 || s.Waiting != 1 || s.Error != "" || !s.Succeeded.Equal(b.clock) {
		t.Errorf("%+v", s)
	}
	b.box.openErr = errors.New("no route to host")
	if _, err := b.tryRun(); err == nil {
		t.Error("no error")
	}
	if one, err := b.opt.Journal.Status(t.Context(), "home"); err != nil || one.Listed != 3 || one.Failures != 1 || one.Class != collect.Temporary {
		t.Errorf("after a failure: %+v, %v", one, err)
	}
	b.box.openErr = nil
	b.run()
	s, err = b.opt.Journal.Status(t.Context(), "home")
	if err != nil || s.Failures != 0 || s.Error != "" || s.Fetched != 3 || s.Waiting != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if one, err := b.opt.Journal.Statuses(t.Context()); err != nil || one[0] != s {
		t.Errorf("%+v, %v", one, err)
	}
	if one, err := b.opt.Journal.Status(t.Context(), "nobody"); err != nil || one != (collect.Status{Account: "nobody"}) {
		t.Errorf("%+v, %v", one, err)
	}
	if err := b.opt.Journal.ForgetAccount(t.Context(), "home"); err != nil {
		t.Fatal(err)
	}
	if all, err := b.opt.Journal.Statuses(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	b.run()
	b.run()
	if got := slices.Compact(slices.Sorted(slices.Values(b.sink.bodies))); len(got) != 3 || len(b.sink.bodies) != 3 {
		t.Errorf("%d messages, %d different: the keys should be the same again", len(b.sink.bodies), len(got))
	}
}
