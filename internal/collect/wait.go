package collect

import (
	"context"
	"errors"
	"time"
)

// ErrNoWait: the source cannot tell when new mail comes.
var ErrNoWait = errors.New("collect: source cannot wait for mail")

// A Waiter is a Source that can tell when new mail comes, so that a Schedule need not wait for the next time to look.
type Waiter interface {
	// Wait returns nil when there may be mail that the last listing did not have. It holds one connection while it waits. The
	// error is ErrNoWait if the source cannot tell, and that of ctx at its end.
	Wait(ctx context.Context) error
}

// restBefore is how long a Schedule rests between a run and the next one, however much mail comes.
const restBefore = 10 * time.Second

// idlers are the places for connections that wait for mail: fewer for each host than there are for all, so that other
// accounts at that host get their turn.
type idlers map[string]chan struct{}

// rest waits for so long, or until the source says that there is mail. Waiting takes one of the places at the host; where
// there is none, or the last run failed, there is only the time.
func (s *Schedule) rest(ctx context.Context, g *gates, a Account, wait time.Duration, class Class) error {
	w, ok := a.Source.(Waiter)
	if !ok || class != OK || wait <= restBefore {
		return sleep(ctx, wait)
	}
	ends := time.Now().Add(wait)
	if err := sleep(ctx, restBefore); err != nil {
		return err
	}
	leave, ok := g.idle(a.Host)
	if ok {
		waiting, cancel := context.WithTimeout(ctx, time.Until(ends))
		err := w.Wait(waiting)
		cancel()
		leave()
		if err == nil {
			return ctx.Err()
		}
	}
	// A connection that fails is no reason to come earlier: the next run will tell.
	return sleep(ctx, time.Until(ends))
}

// idle takes a place for a connection that waits, if there is one.
func (g *gates) idle(host string) (leave func(), ok bool) {
	if host == "" {
		return func() {}, true
	}
	select {
	case g.idlers[host] <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case g.hosts[host] <- struct{}{}:
	default:
		<-g.idlers[host]
		return nil, false
	}
	return func() {
		<-g.hosts[host]
		<-g.idlers[host]
	}, true
}
