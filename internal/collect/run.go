package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxFailing is how many messages in a row the sinks, a scanner or a filter may refuse for the time being before a run
	// ends early: one that is down must not make us download everything in vain.
	maxFailing = 3
	// refusedBefore is after how many refusals without a reason, and no success in between, a person is asked.
	refusedBefore = 3
	// maxWarnings bounds Report.Warnings.
	maxWarnings = 100
)

// Run fetches an account once. The Report says what was done, also beside an error; Classify says what the error asks
// for. Messages that fail one by one are no error of the run: see Report.Failed and Report.SetAside.
//
// When ctx ends, Run gives up what is under way and writes down what is done.
func Run(ctx context.Context, a Account, o Options) (rep Report, err error) {
	rep = Report{Account: a.Name, Started: o.now()}
	if err := a.check(o); err != nil {
		return rep, err
	}
	unlock, err := o.Journal.lock(a.Name, o.LockFolder)
	if err != nil {
		return rep, err
	}
	defer unlock()
	r := &run{account: a, rules: a.Rules.withDefaults(), opt: o, report: &rep, pace: newPace(a.Rules.Bandwidth)}
	err = r.run(ctx)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", context.Canceled, err) // a cause of its own, or a sink's word for it
	}
	rep.Ended = o.now()
	err = o.Journal.ended(context.WithoutCancel(ctx), rep, err)
	r.tell(Event{Kind: EventFinished, Err: err})
	return rep, err
}

// check says what is wrong with an account.
func (a *Account) check(o Options) error {
	wrong := func(what string) error {
		return &PermanentError{fmt.Errorf("collect: account %q: %s", a.Name, what)}
	}
	switch r := a.Rules; {
	case o.Journal == nil:
		return wrong("Options.Journal is missing")
	case a.Name == "":
		return wrong("it has no name")
	case a.Source == nil:
		return wrong("it has no source")
	case len(a.Sinks) == 0:
		return wrong("it has no destination")
	case r.DeleteAfter < 0 || r.KeepNewest < 0 || r.SkipAbove < 0 || r.DeleteAbove < 0 || r.MaxMessages < 0 || r.MaxOctets < 0 || r.Bandwidth < 0:
		return wrong("a rule has a negative number")
	}
	names := map[string]bool{}
	for _, s := range slices.Concat(a.Sinks, a.Rules.Quarantine) {
		if names[s.Name()] {
			return wrong("it has the destination " + s.Name() + " twice")
		}
		names[s.Name()] = true
	}
	return nil
}

func (o *Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// A run is one run of an account.
type run struct {
	account Account
	rules   Rules
	opt     Options
	report  *Report
	pace    *pace
	p       *planner

	total       int
	totalOctets int64
	untold      int64
	forget      []string // entries that turned out to be others
	failing     int      // messages in a row that were refused here for the time being
	failed      []*item  // that did, for whatever reason
	stalled     []*item  // among those in a row: the scanner was there, and gave no answer
	scanning    bool     // the scanner was there a moment ago, as far as can be told
	closed      error    // what a sink or a scanner says that takes nothing until a person does something
	exposed     bool     // something was retrieved that must stay at the source, or that no sink may have yet
}

// step marks a place where a crash could divide what is before from what is after.
func (r *run) step(name string) {
	if r.opt.step != nil {
		r.opt.step(name)
	}
}

func (r *run) tell(e Event) {
	if r.opt.Progress == nil {
		return
	}
	e.Account = r.account.Name
	e.Messages, e.TotalMessages = r.report.Fetched, r.total
	e.Octets, e.TotalOctets = r.report.BytesFromSource, r.totalOctets
	r.opt.Progress(e)
}

func (r *run) warn(err error) {
	if len(r.report.Warnings) < maxWarnings {
		r.report.Warnings = append(r.report.Warnings, err.Error())
	}
	r.tell(Event{Kind: EventWarning, Err: err})
}

// save makes durable what has changed. It does so even if the run was cancelled: what is written here has happened.
func (r *run) save(ctx context.Context, c change) error {
	c.entries, c.forget = r.p.memory.takeChanged(), append(c.forget, r.forget...)
	r.forget = nil
	if len(c.entries) == 0 && len(c.forget) == 0 && c.begun == 0 {
		return nil
	}
	r.step("save")
	err := r.opt.Journal.save(context.WithoutCancel(ctx), r.account.Name, c)
	r.step("saved")
	return err
}

func (r *run) run(ctx context.Context) (err error) {
	r.p, err = open(ctx, r.account, r.opt)
	if err != nil {
		return err
	}
	defer func() { _ = r.p.session.Close() }() // after Finish there is nothing to close, before it the error is known
	info := r.p.session.Info()
	r.report.LoginDelay = info.LoginDelay
	r.warnOfExpiry(info)

	list, err := r.p.session.List(ctx)
	if err != nil {
		return err
	}
	if err := r.p.plan(ctx, list); err != nil {
		return err
	}
	c := change{forget: r.p.memory.age(r.p.now.Unix(), int64(r.rules.Forget/time.Second))}
	if r.p.begun == 0 {
		c.begun = max(r.p.now.Unix(), 1)
	}
	r.count()
	if err := r.save(ctx, c); err != nil {
		return err
	}
	r.tell(Event{Kind: EventOpened})

	failure, lost := r.fetchAll(ctx)
	r.countSetAside()
	if err := r.save(ctx, change{}); err != nil {
		return both(failure, err)
	}
	r.report.Renumbered = r.p.renumbered
	if lost {
		return failure
	}
	if info.Expires && info.ExpireDays == 0 && r.exposed {
		// The server removes at QUIT what was read. Some of that is nowhere else: leave without QUIT.
		return both(failure, &TemporaryError{errors.New("the server deletes what was read (EXPIRE 0), and some of it is in no destination yet: " +
			"the session was dropped so that nothing is deleted")})
	}
	return both(failure, r.deleteAll(ctx))
}

// both tells what went wrong first and what did then. What it asks for is what the first asks for, unless only the second
// asks for a person.
func both(first, then error) error {
	switch {
	case first == nil:
		return then
	case then == nil:
		return first
	case Classify(then) == Permanent && Classify(first) != Permanent:
		return fmt.Errorf("%v; %w", first, then)
	}
	return fmt.Errorf("%w; %v", first, then)
}

// warnOfExpiry tells when the server removes mail earlier than the rules think (RFC 2449 §6.7).
func (r *run) warnOfExpiry(info SessionInfo) {
	if !info.Expires || r.rules.Delete && r.rules.DeleteAfter <= time.Duration(info.ExpireDays)*24*time.Hour && r.rules.KeepNewest == 0 {
		return
	}
	r.warn(fmt.Errorf("the server removes mail by itself after %d days (EXPIRE), earlier than the rules of this account do", info.ExpireDays))
}

// count fills in what the plan tells.
func (r *run) count() {
	rep := r.report
	rep.Listed = len(r.p.items)
	for _, it := range r.p.items {
		if it.entry == nil || it.entry.fresh {
			it.counted = true
			rep.New++
		}
		switch it.action {
		case ActionFetch:
			r.total++
			r.totalOctets += max(it.Size, 0)
		case ActionSkip:
			rep.Skipped++
		case ActionLater:
			switch e := it.entry; {
			case it.reason == capped:
				rep.Capped++
			case it.failed:
				rep.Failed++
			default:
				rep.SetAside = append(rep.SetAside, Poison{UID: it.UID, Size: it.Size, Attempts: e.attempts, Error: e.failure, Next: r.p.nextTry(e)})
			}
		}
	}
}

// deleteAll deletes at the source what is to be deleted, and ends the session.
func (r *run) deleteAll(ctx context.Context) error {
	var items []*item
	var remotes []Remote
	for _, it := range r.p.items {
		if e := it.entry; e == nil || !e.isSettled() || !r.p.wantsDelete(it) {
			continue
		}
		items, remotes = append(items, it), append(remotes, it.Remote)
		if it.entry.phase != phaseDeleting {
			it.entry.phase, it.entry.deleting = phaseDeleting, r.p.now.Unix()
			r.p.memory.touch(it.entry)
		}
	}
	if err := r.save(ctx, change{}); err != nil {
		return err
	}
	r.report.DeletesPending = len(items)
	var marked []*item
	if len(items) > 0 {
		r.p.session.Prepare(ctx, OpDelete, remotes)
	}
	for _, it := range items {
		r.step("delete")
		var refused *MessageError
		switch err := r.p.session.Delete(ctx, it.Remote); {
		case errors.As(err, &refused):
			r.warn(fmt.Errorf("the server refused to delete: %w", err))
			continue
		case err != nil:
			return err
		}
		marked = append(marked, it)
		r.tell(Event{Kind: EventDeleted, UID: it.UID, Key: it.entry.key, Size: it.Size})
	}
	r.step("finish")
	if err := r.p.session.Finish(ctx); err != nil {
		return err
	}
	r.step("finished")
	for _, it := range marked {
		it.entry.phase = phaseConfirmed
		r.p.memory.touch(it.entry)
		r.report.Deleted++
		r.report.DeletesPending--
		if it.entry.outcome == outcomeDiscarded {
			r.report.Discarded++
		}
	}
	return r.save(ctx, change{})
}
