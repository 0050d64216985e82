package account

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	recordEvery   = time.Hour // how exact LastSignIn is
	recordTimeout = 10 * time.Second
	recordPending = 1 << 14 // accounts that wait to be written down; more are forgotten
)

// A recorder writes down who signed in when, about once an hour for each account. Signing in does not wait for it: a
// goroutine of its own writes what has come together while it wrote before. What it cannot write is forgotten.
type recorder struct {
	write func(context.Context, map[int64]time.Time) error
	log   *slog.Logger
	kick  chan struct{}
	stop  chan struct{}
	run   sync.WaitGroup
	once  sync.Once

	mu      sync.Mutex
	pending map[int64]time.Time
	recent  *lru[int64, time.Time] // so that a disk that is full is not asked again by everybody
}

func newRecorder(write func(context.Context, map[int64]time.Time) error, log *slog.Logger) *recorder {
	r := &recorder{
		write: write, log: log, kick: make(chan struct{}, 1), stop: make(chan struct{}),
		pending: map[int64]time.Time{}, recent: newLRU[int64, time.Time](recordPending),
	}
	r.run.Go(r.loop)
	return r
}

// note has it written down that a was signed in to, unless that was done within the hour.
func (r *recorder) note(a Account, now time.Time) {
	if now.Sub(a.LastSignIn) < recordEvery {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.recent.get(a.ID); t != nil && now.Sub(*t) < recordEvery || len(r.pending) >= recordPending {
		return
	}
	*r.recent.put(a.ID) = now
	r.pending[a.ID] = now
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

func (r *recorder) loop() {
	for {
		select {
		case <-r.kick:
			r.flush()
		case <-r.stop:
			r.flush()
			return
		}
	}
}

func (r *recorder) flush() {
	r.mu.Lock()
	batch := r.pending
	r.pending = map[int64]time.Time{}
	r.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	if err := r.write(ctx, batch); err != nil {
		r.log.Warn("could not write down who signed in", "accounts", len(batch), "err", err)
	}
}

// close writes what is pending and ends the goroutine.
func (r *recorder) close() {
	r.once.Do(func() { close(r.stop) })
	r.run.Wait()
}
