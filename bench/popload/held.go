package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/postamt/postamt/bench/internal/proc"
)

// Held reports busy connections, alone and among held ones.
type Held struct {
	Reached     int     `json:"reached"`  // held connections that were opened
	Answered    int     `json:"answered"` // and that answered and said good-bye afterwards
	RampSeconds float64 `json:"ramp_seconds"`
	Busy        int     `json:"busy"`
	AloneOps    int     `json:"alone_sessions"`
	AloneP50    float64 `json:"alone_p50_ms"`
	AloneP99    float64 `json:"alone_p99_ms"`
	AmongOps    int     `json:"among_sessions"`
	AmongP50    float64 `json:"among_p50_ms"`
	AmongP99    float64 `json:"among_p99_ms"`
	Ratio       float64 `json:"p99_ratio"` // AmongP99 / AloneP99
	// PSSPerConn is the growth of the server's PSS by the held connections, in KiB for each, after the busy ones have run
	// once: what the first session costs is not in it.
	PSSPerConn float64 `json:"pss_kib_per_connection"`
}

// held runs -busy connections that open one session after the other (sign in, LIST, RETR of all, QUIT) three times for
// -duration: before the other -conns are opened, signed in and then silent, while they are held, and after they are
// gone. Before and after are one figure, so that a drift of the machine does not look like the cost of the held ones.
func held(t *tally, server proc.Server) *Held {
	r := &Held{Busy: *busy}
	alone := busySessions(t)
	time.Sleep(500 * time.Millisecond)
	before := memoryOf(t, server)
	start := time.Now()
	connections := hold(t, *conns, *user)
	r.RampSeconds = time.Since(start).Seconds()
	r.Reached = count(connections)
	time.Sleep(500 * time.Millisecond)
	if r.Reached > 0 {
		r.PSSPerConn = float64(memoryOf(t, server).PSS-before.PSS) / float64(r.Reached)
	}
	among := busySessions(t)
	r.Answered = release(t, connections, true)
	if r.Answered != *conns && t.errors.Load() == 0 {
		t.fail(fmt.Errorf("%d of %d held connections answered", r.Answered, *conns))
	}
	alone = append(alone, busySessions(t)...)
	r.AloneOps, r.AmongOps = len(alone), len(among)
	r.AloneP50, _, r.AloneP99, _ = percentiles(alone)
	r.AmongP50, _, r.AmongP99, _ = percentiles(among)
	if r.AloneP99 > 0 {
		r.Ratio = r.AmongP99 / r.AloneP99
	}
	t.totals = among
	return r
}

// busySessions returns how long each session took. Worker i is user i of -busy-user.
func busySessions(t *tally) (took []time.Duration) {
	end := time.Now().Add(*duration)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range *busy {
		wg.Go(func() {
			w := newWorker(t, "drain", *busyUser)
			for time.Now().Before(end) && t.errors.Load() <= 20 {
				if err := w.session(i); err != nil {
					t.fail(fmt.Errorf("busy: %w", err))
					time.Sleep(10 * time.Millisecond)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, w.totals...)
		})
	}
	wg.Wait()
	return took
}
