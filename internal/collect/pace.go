package collect

import (
	"context"
	"time"
)

// A pace keeps a stream to so many octets a second.
type pace struct {
	rate int64
	free time.Time // when what has gone through is paid for
}

func newPace(rate int64) *pace {
	if rate <= 0 {
		return nil
	}
	return &pace{rate: rate}
}

// most is how many octets should go through at once: a tenth of a second's worth.
func (p *pace) most() int { return int(min(max(p.rate/10, 1), 1<<20)) }

// wait waits until n octets more may have gone through.
func (p *pace) wait(ctx context.Context, n int) error {
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	return sleep(ctx, p.free.Sub(now))
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
