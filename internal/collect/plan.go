package collect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// An item is a message of the listing, on its way to a decision.
type item struct {
	Remote
	pos    int       // in the listing, from 0
	unique bool      // no other has its UID
	entry  *entry    // nil: not known, or not known yet
	id     *identity // if its header was read
	byUID  *entry    // what it is by its UID, while that is being checked
	// unsure: its UID does not tell whether it is known; the header must be compared.
	unsure bool
	begun  *entry // that the attempt was noted in
	tried  int64  // what its entry.tried was before
	again  bool   // it was tried before, and the try did not come to its end
	late   bool   // the journal does not know yet that it is being tried
	// found is what a scanner has just found.
	found *Finding
	// counted: it is among Report.New.
	counted bool
	// judged: Start and Filter have been asked.
	judged  bool
	verdict Verdict
	why     string // of the verdict, or why there is none
	failed  bool   // the filter failed

	action Action
	reason string
}

// A planner decides what is to be done with each message.
type planner struct {
	rules      Rules
	now        time.Time
	begun      int64
	ran        int64 // when the run before began
	session    Session
	memory     *memory
	items      []*item
	headers    bool // the source can give headers alone, as far as is known
	known      int
	renumbered int
}

// plan looks at the listing.
func (p *planner) plan(ctx context.Context, list []Remote) error {
	p.headers = true
	p.recognise(list)
	var unsure []*item
	for _, it := range p.items {
		if it.unsure {
			unsure = append(unsure, it)
		}
	}
	err := p.readHeaders(ctx, unsure, func(it *item, header []byte) error {
		p.resolve(it, *it.id)
		return p.judge(ctx, it, header)
	})
	if err != nil {
		return err
	}
	for _, it := range unsure {
		if it.id == nil && it.byUID != nil { // no header to compare: the UID must do
			it.unsure, it.entry = false, it.byUID
			p.memory.take(it.entry, it.Remote)
		} else if it.id == nil {
			it.entry = p.memory.takeNameless(it.Remote)
		}
	}
	if err := p.judgeRest(ctx); err != nil {
		return err
	}
	for _, it := range p.items {
		if it.entry == nil && (!it.unsure || it.id != nil) {
			it.entry = p.memory.add(it.Remote, it.unique, it.id, p.now.Unix())
		}
		p.decide(it)
	}
	p.cap()
	return nil
}

// judgeRest reads the headers of what is to be fetched, if the rules want to see them.
func (p *planner) judgeRest(ctx context.Context) error {
	if p.rules.Filter == nil && (p.begun != 0 || p.rules.Start != StartRecent) {
		return nil
	}
	var rest []*item
	for _, it := range p.items {
		if p.rules.MaxMessages > 0 && p.begun != 0 && len(rest) >= 2*p.rules.MaxMessages+100 {
			break // the others are for another run
		}
		if !it.judged && !it.unsure && !(it.entry != nil && it.entry.isSettled()) && !p.bySize(it) && !p.setAside(it.entry) {
			rest = append(rest, it)
		}
	}
	return p.readHeaders(ctx, rest, func(it *item, header []byte) error { return p.judge(ctx, it, header) })
}

// judge asks Start and Filter about a message that is not settled.
func (p *planner) judge(ctx context.Context, it *item, header []byte) error {
	if it.entry != nil && it.entry.isSettled() || it.judged {
		return nil
	}
	it.judged = true
	if e := it.entry; e != nil && (len(e.sinks) > 0 || e.found != nil) {
		return nil // all sinks or none
	}
	if p.begun == 0 && p.rules.Start == StartRecent {
		if d := it.id.date; !d.IsZero() && p.now.Sub(d) > p.rules.StartAge {
			it.verdict, it.why = Leave, "older than what the first run fetches"
			return nil
		}
	}
	if p.rules.Filter == nil || p.begun == 0 && p.rules.Start == StartNow {
		return nil
	}
	stop := keepAlive(ctx, p.session)
	verdict, err := p.rules.Filter(ctx, header)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		it.failed, it.why = true, "filter failed: "+err.Error()
		return nil
	}
	it.verdict, it.why = verdict, "filter says "+verdict.String()
	return nil
}

// bySize reports whether a rule on sizes keeps a message from being fetched.
func (p *planner) bySize(it *item) bool {
	return p.rules.DeleteAbove > 0 && it.Size > p.rules.DeleteAbove || p.rules.SkipAbove > 0 && it.Size > p.rules.SkipAbove
}

// setAside reports whether a message has failed too often to be tried now.
func (p *planner) setAside(e *entry) bool {
	return e != nil && !e.isSettled() && e.attempts >= p.rules.MaxAttempts && p.now.Before(p.nextTry(e))
}

func (p *planner) nextTry(e *entry) time.Time { return time.Unix(e.tried, 0).Add(p.rules.RetryAfter) }

// wantsDelete reports whether a settled message is to be deleted at the source now.
func (p *planner) wantsDelete(it *item) bool {
	switch e := it.entry; {
	case e.outcome == outcomeDiscarded:
		return true
	case e.outcome != outcomeDelivered && e.outcome != outcomeDuplicate, !p.rules.Delete, it.pos >= len(p.items)-p.rules.KeepNewest:
		return false
	default:
		return p.rules.DeleteAfter <= 0 || !p.now.Before(time.Unix(e.settled, 0).Add(p.rules.DeleteAfter))
	}
}

func (p *planner) settle(e *entry, o outcome) {
	e.phase, e.outcome, e.settled, e.failure, e.found = phaseSettled, o, p.now.Unix(), "", nil
	p.memory.touch(e)
}

// decide says what is to be done with a message.
func (p *planner) decide(it *item) {
	e := it.entry
	switch {
	case e != nil && e.isSettled():
		p.decideKnown(it)
	case p.begun == 0 && p.rules.Start == StartNow:
		it.action, it.reason = ActionSkip, "was there before the first run"
		if e == nil {
			it.entry = p.memory.add(it.Remote, it.unique, it.id, p.now.Unix())
		}
		p.settle(it.entry, outcomeLeft)
	case it.judged && it.verdict == Leave && !it.failed:
		it.action, it.reason = ActionSkip, it.why
		p.settle(e, outcomeLeft)
	case p.rules.DeleteAbove > 0 && it.Size > p.rules.DeleteAbove:
		it.action, it.reason = ActionDiscard, fmt.Sprintf("larger than %d octets", p.rules.DeleteAbove)
	case p.rules.SkipAbove > 0 && it.Size > p.rules.SkipAbove:
		it.action, it.reason = ActionSkip, fmt.Sprintf("larger than %d octets", p.rules.SkipAbove)
	case it.failed:
		it.action, it.reason = ActionLater, it.why
	case it.judged && it.verdict == Discard:
		it.action, it.reason = ActionDiscard, it.why
	case p.setAside(e):
		it.action, it.reason = ActionLater, fmt.Sprintf("set aside after %d attempts: %s", e.attempts, e.failure)
	case it.entry == nil:
		it.action, it.reason = ActionFetch, "its header will tell whether it is known"
	case e.attempts > 0:
		it.action, it.reason = ActionFetch, fmt.Sprintf("failed %d times: %s", e.attempts, e.failure)
	default:
		it.action, it.reason = ActionFetch, "new"
	}
	if it.action == ActionDiscard {
		if it.entry == nil {
			it.entry = p.memory.add(it.Remote, it.unique, it.id, p.now.Unix())
		}
		p.settle(it.entry, outcomeDiscarded)
	}
}

func (p *planner) decideKnown(it *item) {
	e := it.entry
	switch {
	case p.wantsDelete(it) && e.phase == phaseDeleting:
		it.action, it.reason = ActionDelete, "its deletion was not confirmed"
	case p.wantsDelete(it) && e.outcome == outcomeDiscarded:
		it.action, it.reason = ActionDiscard, "to be deleted by rule"
	case p.wantsDelete(it):
		it.action, it.reason = ActionDelete, "fetched before"
	case e.outcome == outcomeLeft:
		it.action, it.reason = ActionSkip, "left by rule before"
	default:
		it.reason = "fetched before"
	}
}

// capped is the reason of what is left for another run.
const capped = "more than one run may fetch"

// cap leaves for another run what is too much for this one. One message is always fetched.
func (p *planner) cap() {
	messages, octets := 0, int64(0)
	for _, it := range p.inOrder() {
		messages++
		octets += max(it.Size, 0)
		if p.rules.MaxMessages > 0 && messages > p.rules.MaxMessages || p.rules.MaxOctets > 0 && octets > p.rules.MaxOctets && messages > 1 {
			it.action, it.reason = ActionLater, capped
		}
	}
}

// inOrder returns what is to be fetched: what never failed first, so that a message that breaks the session cannot keep
// the others from coming; then what failed, in turns, so that a few that always fail cannot keep each other from it; at
// last what ended the session in the run before, if it did.
func (p *planner) inOrder() []*item {
	var fetch []*item
	for _, it := range p.items {
		if it.action == ActionFetch {
			fetch = append(fetch, it)
		}
	}
	slices.SortStableFunc(fetch, func(a, b *item) int {
		if last := p.endsSession(a); last != p.endsSession(b) {
			if last {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.lastFailed(), b.lastFailed()), cmp.Compare(a.failures(), b.failures()))
	})
	return fetch
}

// endsSession reports whether a message failed in the run before, and is so large that the session ends when it does.
func (p *planner) endsSession(it *item) bool {
	return it.entry != nil && it.entry.failure != "" && it.Size > maxWaste && it.entry.tried >= p.ran
}

// lastFailed returns when the message was tried last, 0 if it never failed, whosever fault it was.
func (it *item) lastFailed() int64 {
	if e := it.entry; e != nil && (e.attempts > 0 || e.failure != "") {
		return e.tried
	}
	return 0
}

// failures returns how many attempts count against the message.
func (it *item) failures() int {
	if it.entry == nil {
		return 0
	}
	return it.entry.attempts
}
