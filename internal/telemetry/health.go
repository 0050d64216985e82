package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Health asks the parts of the service whether they work. Its methods may be called concurrently.
type Health struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	checks  []*check
	running sync.WaitGroup
	asked   time.Time // when the answers were last asked for
}

type check struct {
	name string
	ask  func(context.Context) error

	// Of the last round. A check that has not answered keeps its channel open and is not asked again meanwhile.
	answered chan struct{}
	err      error
	state    string
}

const (
	// healthTimeout is how long a part has for its answer.
	healthTimeout = 5 * time.Second
	// healthAge is how long answers are good, so that a flood of questions costs one.
	healthAge = time.Second
)

// NewHealth returns a Health without parts, which is always well. now may be nil for time.Now.
func NewHealth(log *slog.Logger, now func() time.Time) *Health {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Health{log: log, now: now}
}

// Register adds a part. ask returns nil if it works; it should end with its context, but if it does not, the answer is
// that there is none.
func (h *Health) Register(name string, ask func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, &check{name: name, ask: ask})
}

// Check asks all parts and returns one line for each, and whether all are well. What is wrong goes to the log, not to
// the caller: the page can be read by anybody on the machine.
func (h *Health) Check(ctx context.Context) (lines []string, well bool) {
	h.mu.Lock() // one round at a time; the others wait and take its answers
	defer h.mu.Unlock()
	if now := h.now(); h.asked.IsZero() || now.Sub(h.asked) >= healthAge {
		h.asked = now
		h.ask(context.WithoutCancel(ctx)) // the answers are for others, too
	}
	well = true
	for _, c := range h.checks {
		lines = append(lines, c.name+": "+c.state)
		well = well && c.state == "ok"
	}
	return lines, well
}

// ask needs h.mu.
func (h *Health) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	for _, c := range h.checks {
		if c.answered != nil {
			continue // still busy with the last question
		}
		c.answered = make(chan struct{})
		h.running.Go(func() {
			defer close(c.answered)
			defer func() {
				if p := recover(); p != nil {
					c.err = fmt.Errorf("panic: %v", p)
				}
			}()
			c.err = c.ask(ctx)
		})
	}
	for _, c := range h.checks {
		state := "no answer"
		var err error
		select {
		case <-c.answered:
			state, err = "ok", c.err
			if err != nil {
				state = "failed"
			}
			c.answered = nil
		case <-ctx.Done():
		}
		if state != c.state && (c.state != "" || state != "ok") {
			level := slog.LevelInfo
			if state != "ok" {
				level = slog.LevelError
			}
			h.log.Log(ctx, level, "health changed", "part", c.name, "state", state, "err", err)
		}
		c.state = state
	}
}

// wait waits for checks that are still busy, until ctx ends.
func (h *Health) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { defer close(done); h.running.Wait() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("telemetry: a health check does not end: %w", ctx.Err())
	}
}

// ServeHTTP answers 200 if all is well, else 503.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lines, well := h.Check(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	summary := "ok"
	if !well {
		summary = "failing"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, strings.Join(append([]string{summary}, lines...), "\n"))
}
