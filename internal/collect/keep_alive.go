package collect

import (
	"context"
	"time"
)

// A KeepAliver is a Session that can tell the server that we are still there. Nothing else is asked of the session at the
// same time, but KeepAlive may come from another goroutine. What was announced by Prepare still holds afterwards.
type KeepAliver interface {
	KeepAlive(ctx context.Context) error
}

// keepAliveEvery is how often that is done during work of our own. A POP3 server must wait for 10 minutes (RFC 1939 §3), and
// some wait for less.
const keepAliveEvery = 2 * time.Minute

// keepAlive keeps the session alive until the caller, who does not use it, calls stop.
func keepAlive(ctx context.Context, s Session) (stop func()) {
	k, ok := s.(KeepAliver)
	if !ok {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() { // stop waits for it
		defer close(done)
		tick := time.NewTicker(keepAliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if k.KeepAlive(ctx) != nil {
					return // the next call of the session tells
				}
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
