package collect_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
)

// A waiter is a source that tells when mail comes. Nothing is fetched from it.
type waiter struct {
	collect.Source
	wait func(context.Context) error
}

func (w *waiter) Wait(ctx context.Context) error { return w.wait(ctx) }

// A watch runs accounts of one host and counts.
type watch struct {
	interval, span time.Duration
	perHost        int
	hosts          []string // of the accounts
	wait           func(context.Context) error
	fetch          func() error // nil: it works

	runs     map[string][]int // when the accounts ran, in seconds
	waits    int              // how often Wait was called
	together int              // connections at the same time, at most
	waiting  int              // those of them that only wait, at most
}

func (w *watch) run(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex
		open, idle := 0, 0
		count := func(n *int, by int) {
			mu.Lock()
			defer mu.Unlock()
			open += by
			if n != nil {
				*n += by
			}
			w.together, w.waiting = max(w.together, open), max(w.waiting, idle)
		}
		w.runs = map[string][]int{}
		src := &waiter{wait: func(ctx context.Context) error {
			count(&idle, 1)
			defer count(&idle, -1)
			mu.Lock()
			w.waits++
			mu.Unlock()
			return w.wait(ctx)
		}}
		s := &collect.Schedule{
			Options: collect.Options{Journal: newJournal(t)}, PerHost: w.perHost,
			Rand: func() float64 { return 0.5 }, // no jitter; the first run after half of the 10 s
			Fetch: func(_ context.Context, a collect.Account, _ collect.Options) (collect.Report, error) {
				count(nil, 1)
				defer count(nil, -1)
				mu.Lock()
				w.runs[a.Name] = append(w.runs[a.Name], int(time.Since(begun).Seconds()))
				mu.Unlock()
				if w.fetch != nil {
					return collect.Report{}, w.fetch()
				}
				return collect.Report{Account: a.Name}, nil
			},
		}
		for i, host := range w.hosts {
			s.Accounts = append(s.Accounts, collect.Account{Name: fmt.Sprint(i), Host: host, Source: src, Interval: w.interval})
		}
		ctx, cancel := context.WithTimeout(t.Context(), w.span)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != w.span {
			t.Errorf("Run went on for %v after its context", took-w.span)
		}
	})
}

// untilTheEnd is a server where no mail comes.
func untilTheEnd(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// after is a server where something happens after a time.
func after(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Mail that comes is fetched at once, but not more often than every 10 seconds, and whatever else Wait says, the next run
// comes at its time.
func TestScheduleWaits(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	for _, test := range []struct {
		name     string
		wait     func(context.Context) error
		fetch    error
		interval time.Duration
		runs     []int
		waits    int
	}{
		{name: "mail now and then", wait: after(42*time.Second, nil), interval: 5 * time.Minute, runs: []int{5, 57, 109, 161, 213, 265, 317}, waits: 7},
		{name: "mail without end", wait: after(0, nil), interval: 100 * time.Second, runs: every(5, 10, 350), waits: 34},
		{name: "no mail", wait: untilTheEnd, interval: 2 * time.Minute, runs: []int{5, 125, 245}, waits: 3},
		{name: "a server without IDLE", wait: after(0, collect.ErrNoWait), interval: 2 * time.Minute, runs: []int{5, 125, 245}, waits: 3},
		{name: "the connection fails at once", wait: after(0, broken), interval: 2 * time.Minute, runs: []int{5, 125, 245}, waits: 3},
		{name: "the connection fails later", wait: after(time.Minute, broken), interval: 2 * time.Minute, runs: []int{5, 125, 245}, waits: 3},
		{name: "the last run failed", wait: after(0, nil), fetch: &collect.BusyError{Err: broken}, interval: 20 * time.Second, runs: every(5, 30, 350)},
		{name: "short interval", wait: after(0, nil), interval: 10 * time.Second, runs: every(5, 10, 350)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := &watch{interval: test.interval, span: 350 * time.Second, hosts: []string{"h"}, wait: test.wait, fetch: func() error { return test.fetch }}
			w.run(t)
			if diff := cmp.Diff(test.runs, w.runs["0"]); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
			if w.waits != test.waits {
				t.Errorf("it waited %d times, want %d", w.waits, test.waits)
			}
		})
	}
}

// every returns first, first+step and so on, below end.
func every(first, step, end int) (times []int) {
	for at := first; at < end; at += step {
		times = append(times, at)
	}
	return times
}

// Waiting takes a place at the host, and one is always left for the other accounts, which come at their time.
func TestSchedulePlacesForWaiting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		perHost           int
		hosts             []string
		waiting, together int
	}{
		{name: "one place", perHost: 1, hosts: []string{"h", "h", "h"}, waiting: 0, together: 1},
		{name: "two places", perHost: 2, hosts: []string{"h", "h", "h"}, waiting: 1, together: 2},
		{name: "three places", perHost: 3, hosts: []string{"h", "h", "h", "h", "h"}, waiting: 2, together: 3},
		{name: "the default", hosts: []string{"h", "h", "h"}, waiting: 1, together: 2},
		{name: "different hosts", perHost: 2, hosts: []string{"h", "i", "j"}, waiting: 3, together: 3},
		{name: "no host is known", perHost: 2, hosts: []string{"", "", ""}, waiting: 3, together: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := &watch{interval: 2 * time.Minute, span: 290 * time.Second, perHost: test.perHost, hosts: test.hosts, wait: untilTheEnd}
			w.run(t)
			if w.waiting != test.waiting || w.together > test.together {
				t.Errorf("%d wait at the same time, want %d; %d connections, at most %d are permitted", w.waiting, test.waiting, w.together, test.together)
			}
			for i := range test.hosts {
				if diff := cmp.Diff([]int{5, 125, 245}, w.runs[fmt.Sprint(i)]); diff != "" {
					t.Errorf("runs of account %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}
