package collect

import (
	"context"
	"errors"
)

// Plan is a dry run: it says what a run would do with each message, in the order of the listing, and why. It fetches
// headers where the rules ask for them, delivers and deletes nothing and leaves the journal as it is.
func Plan(ctx context.Context, a Account, o Options) (decisions []Decision, err error) {
	if err := a.check(o); err != nil {
		return nil, err
	}
	p, err := open(ctx, a, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.session.Close()) }()
	list, err := p.session.List(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.plan(ctx, list); err != nil {
		return nil, err
	}
	if err := p.askScanner(ctx); err != nil {
		return nil, err
	}
	decisions = make([]Decision, len(p.items))
	for i, it := range p.items {
		del := it.action == ActionFetch && p.rules.Delete && p.rules.DeleteAfter <= 0 && it.pos < len(p.items)-p.rules.KeepNewest
		decisions[i] = Decision{Remote: it.Remote, Action: it.action, Reason: it.reason, Delete: del}
	}
	return decisions, p.session.Finish(ctx)
}

// askScanner puts off what is to be fetched if the scanner is not there.
func (p *planner) askScanner(ctx context.Context) error {
	s, ok := p.rules.Scan.(ReadyScanner)
	fetch := p.inOrder()
	if !ok || len(fetch) == 0 {
		return nil
	}
	err := s.Ready(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, it := range fetch {
		if err != nil {
			it.action, it.reason = ActionLater, err.Error()
		}
	}
	return nil
}

// open reads the memory of an account and opens its source.
func open(ctx context.Context, a Account, o Options) (*planner, error) {
	entries, begun, ran, err := o.Journal.load(ctx, a.Name)
	if err != nil {
		return nil, err
	}
	session, err := a.Source.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &planner{rules: a.Rules.withDefaults(), now: o.now(), begun: begun, ran: ran, session: session, memory: newMemory(a.Name, entries)}, nil
}
