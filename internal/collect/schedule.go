package collect

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Defaults and bounds of a Schedule.
const (
	defaultInterval = 5 * time.Minute
	defaultParallel = 8
	defaultPerHost  = 2
	// jitter is how much of an interval chance adds or takes away.
	jitter = 0.1
	// maxBackOff is how far apart failures move the runs, unless the interval is longer.
	maxBackOff = time.Hour
	// busyWait is how long the first wait for a mailbox that is in use lasts; each further one is twice as long.
	busyWait = 30 * time.Second
	// maxDelay is how long a server may have us wait. One that asks for more is asked once a day all the same.
	maxDelay = 24 * time.Hour
	// maxStart is the time over which the first runs are spread.
	maxStart = 10 * time.Second
)

// A Schedule runs accounts, each at its interval, several at the same time. Its fields are not changed while it runs.
type Schedule struct {
	Accounts []Account
	Options  Options
	// Parallel is how many accounts are fetched at the same time. Default: 8.
	Parallel int
	// PerHost is how many of them at the same Account.Host. Default: 2.
	PerHost int
	// AlarmAfter is how long failures that may pass by themselves go on until they raise an alarm, too. 0: they do not.
	AlarmAfter time.Duration
	// Alarm, if set, is told once when an account needs a person, and once when it works again. After an error it is told
	// again at the next run.
	Alarm func(ctx context.Context, a Alarm) error
	// Done, if set, hears the result of each run, from the goroutine of the account.
	Done func(a Account, r Report, err error)
	// Fetch runs an account. Default: Run.
	Fetch func(ctx context.Context, a Account, o Options) (Report, error)
	// Rand gives the jitter, a number of 0 up to 1. Default: by chance.
	Rand func() float64
}

// An Alarm says that an account needs a person, or, if it is Cleared, that it works again.
type Alarm struct {
	Account string
	Cleared bool
	Class   Class
	Err     error
	// Since is when the account worked last, zero for never.
	Since time.Time
}

// gates keep accounts apart.
type gates struct {
	all    chan struct{}
	hosts  map[string]chan struct{}
	idlers idlers
}

func (s *Schedule) gates() *gates {
	g := &gates{all: make(chan struct{}, cmp.Or(max(s.Parallel, 0), defaultParallel)), hosts: map[string]chan struct{}{}, idlers: idlers{}}
	for _, a := range s.Accounts {
		if a.Host != "" && g.hosts[a.Host] == nil {
			places := cmp.Or(max(s.PerHost, 0), defaultPerHost)
			g.hosts[a.Host] = make(chan struct{}, places)
			g.idlers[a.Host] = make(chan struct{}, places-1)
		}
	}
	return g
}

// enter waits for a place at the host and then among all. The caller leaves both.
func (g *gates) enter(ctx context.Context, host string) (leave func(), err error) {
	places := []chan struct{}{g.hosts[host], g.all}
	if places[0] == nil {
		places = places[1:]
	}
	for i, place := range places {
		select {
		case place <- struct{}{}:
		case <-ctx.Done():
			for _, p := range places[:i] {
				<-p
			}
			return nil, context.Cause(ctx)
		}
	}
	return func() {
		for _, p := range places {
			<-p
		}
	}, nil
}

// Run runs the accounts until ctx ends, and returns nil then. It returns early only if the journal cannot be read.
func (s *Schedule) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := s.gates()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failure error
	for _, a := range s.Accounts {
		wg.Go(func() {
			if err := s.keep(ctx, g, a); err != nil {
				mu.Lock()
				failure = errors.Join(failure, err)
				mu.Unlock()
				cancel(err)
			}
		})
	}
	wg.Wait()
	return failure
}

// Once runs each account once, whatever its interval, and returns what went wrong. An account that is being fetched by
// another process is an error, too.
func (s *Schedule) Once(ctx context.Context) error {
	g := s.gates()
	errs := make([]error, len(s.Accounts))
	var wg sync.WaitGroup
	for i, a := range s.Accounts {
		wg.Go(func() {
			_, err := s.fetch(ctx, g, a, new(tries))
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tries is what keep remembers of an account.
type tries struct {
	busy  int // in a row
	delay time.Duration
}

// keep runs one account until ctx ends.
func (s *Schedule) keep(ctx context.Context, g *gates, a Account) error {
	status, err := s.Options.Journal.Status(ctx, a.Name)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	interval := cmp.Or(max(a.Interval, 0), defaultInterval)
	wait := time.Duration(s.chance() * float64(min(interval, maxStart)))
	// A server that asked for a pause gets it also when we were restarted.
	wait = max(wait, min(status.Next.Sub(s.Options.now()), interval+maxBackOff))
	var t tries
	class := Busy // the first run comes when its time comes
	for s.rest(ctx, g, a, wait, class) == nil {
		wait, err = s.fetch(ctx, g, a, &t)
		if ctx.Err() != nil { // Done has heard the error
			return nil
		}
		class = Classify(err)
	}
	return nil
}

// fetch runs the account once, raises or takes back the alarm, and returns how long to wait for the next run.
func (s *Schedule) fetch(ctx context.Context, g *gates, a Account, t *tries) (time.Duration, error) {
	leave, err := g.enter(ctx, a.Host)
	if err != nil {
		return 0, err
	}
	defer leave()
	run := s.Fetch
	if run == nil {
		run = Run
	}
	report, err := run(ctx, a, s.Options)
	if s.Done != nil {
		s.Done(a, report, err)
	}
	if ctx.Err() != nil {
		return 0, err
	}
	class := t.count(err)
	status, statusErr := s.Options.Journal.Status(ctx, a.Name)
	if statusErr != nil {
		return maxBackOff, errors.Join(err, statusErr)
	}
	if report.LoginDelay > 0 {
		t.delay = report.LoginDelay
	}
	now := s.Options.now()
	wait := s.wait(a, t, class, status.Failures, err)
	alarmed := s.alarm(ctx, a, class, status, now, err)
	return wait, errors.Join(err, s.Options.Journal.schedule(ctx, a.Name, now.Add(wait), alarmed))
}

// count keeps track of how often the mailbox was in use in a row, and returns what err amounts to.
func (t *tries) count(err error) Class {
	class := Classify(err)
	if class == Busy {
		t.busy++
	} else {
		t.busy = 0
	}
	return class
}

// wait says how long to wait for the next run. failures counts runs that failed in a row.
func (s *Schedule) wait(a Account, t *tries, class Class, failures int, err error) time.Duration {
	interval := cmp.Or(max(a.Interval, 0), defaultInterval)
	wait := interval
	switch class {
	case OK, Cancelled:
	case Busy:
		wait = min(busyWait<<min(t.busy-1, 10), max(interval, busyWait))
		var busy *BusyError
		if errors.As(err, &busy) {
			wait = max(wait, min(busy.After, maxDelay))
		}
	case Permanent:
		wait = max(interval, maxBackOff)
	case Temporary, Refused:
		wait = max(interval, min(interval<<min(max(failures-1, 0), 10), maxBackOff))
	}
	wait += time.Duration((s.chance()*2 - 1) * jitter * float64(wait))
	return max(wait, min(t.delay, maxDelay)) // RFC 2449 §6.5
}

// alarm tells when an account needs a person or works again. It returns since when an alarm stands, zero for none.
func (s *Schedule) alarm(ctx context.Context, a Account, class Class, status Status, now time.Time, err error) time.Time {
	alarm := Alarm{Account: a.Name, Class: class, Err: err, Since: status.Succeeded}
	if class == OK {
		if status.Alarmed.IsZero() {
			return time.Time{}
		}
		alarm.Cleared = true
		return s.tell(ctx, alarm, time.Time{}, status.Alarmed)
	}
	since := status.Failing
	if since.IsZero() {
		since = now // it did not come as far as the journal
	}
	if !status.Succeeded.IsZero() && status.Succeeded.Before(since) {
		since = status.Succeeded
	}
	long := s.AlarmAfter > 0 && class != Cancelled && now.Sub(since) >= s.AlarmAfter
	if !status.Alarmed.IsZero() || class != Permanent && !long {
		return status.Alarmed
	}
	return s.tell(ctx, alarm, now, time.Time{})
}

// tell returns told if the alarm could be told, else the state before.
func (s *Schedule) tell(ctx context.Context, a Alarm, told, before time.Time) time.Time {
	if s.Alarm != nil {
		if err := s.Alarm(ctx, a); err != nil {
			return before
		}
	}
	return told
}

func (s *Schedule) chance() float64 {
	if s.Rand != nil {
		return s.Rand()
	}
	return rand.Float64() // no secret
}
