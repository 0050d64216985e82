package office

import (
	"context"
	"time"
)

// sweep removes for good what was deleted before the undelete window, soon and at every interval.
func (o *Office) sweep(ctx context.Context) {
	wait := o.opt.FirstSweep
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		result, err := o.vault.Store.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			o.log.Error("what was deleted long ago could not be swept, the next try comes", "err", err)
		case result.Messages > 0 || result.Bodies > 0:
			o.log.Info("swept", "messages", result.Messages, "bodies", result.Bodies, "octets", result.Octets)
		}
		o.mu.Lock()
		wait = time.Duration(o.current.cfg.Store.SweepInterval)
		o.mu.Unlock()
	}
}
