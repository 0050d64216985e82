// Command soak runs the real daemon under mixed load for a while and watches what it holds. Every message is entered in a
// ledger when it is sent and checked octet by octet when it is fetched: at the end none may be lost, there twice, or back
// after it was deleted. It prints a verdict and exits 1 when anything at all went wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	password = "open sesame"
	// sessionTime bounds every session of the load.
	sessionTime = time.Minute
	// maxFaults is how many faults are kept; the load goes on.
	maxFaults = 50
)

// A soak is one run.
type soak struct {
	d       *daemon
	seed    uint64
	pace    float64
	boxes   []*box
	begun   time.Time
	samples []Sample // of watch, until it has ended

	count struct {
		sessions, fetched, octets, deleted, sent, inUse, halfOpen, guesses, reloads, accounts atomic.Int64
	}

	mu     sync.Mutex
	faults []string
}

// try notes a fault.
func (s *soak) try(what string, f func() error) {
	err := f()
	if err == nil {
		return
	}
	s.mu.Lock()
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, what+": "+err.Error())
	}
	s.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
}

// think is a random time about mean.
func (s *soak) think(mean time.Duration) time.Duration {
	return time.Duration(2 * rand.Float64() * float64(mean) / s.pace)
}

func main() {
	program := flag.String("postamt", "", "the postamt to run (required)")
	dir := flag.String("dir", "", "an empty folder for its data (required)")
	duration := flag.Duration("duration", 30*time.Minute, "how long the load lasts")
	every := flag.Duration("every", 3*time.Second, "how often to sample")
	accounts := flag.Int("accounts", 60, "accounts with mail")
	idle := flag.Int("idle", 80, "connections that are held")
	pace := flag.Float64("pace", 1, "how busy the clients are; 2 is twice as busy")
	port := flag.Int("port", 31210, "the first of five ports on the loopback")
	jsonFile := flag.String("json", "", "file for the report with all samples")
	svgFile := flag.String("svg", "", "file for the curves")
	flag.Parse()
	if *program == "" || *dir == "" || *accounts < 1 || *pace <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &soak{d: newDaemon(*program, *dir, *port), seed: rand.Uint64(), pace: *pace, begun: time.Now()}
	r, err := s.run(ctx, *duration, *every, *accounts, *idle)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	if err := r.write(*jsonFile, *svgFile); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	fmt.Print(r)
	if len(r.Faults) > 0 {
		os.Exit(1)
	}
}

// run is everything, from the first start of the daemon to its end.
func (s *soak) run(ctx context.Context, duration, every time.Duration, accounts, idle int) (r *Report, err error) {
	if err := s.d.configure(false); err != nil {
		return nil, err
	}
	if err := s.d.start(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if e := s.d.stop(); e != nil && err == nil {
			r.Faults = append(r.Faults, e.Error())
		}
	}()
	for n := range accounts {
		s.boxes = append(s.boxes, newBox(fmt.Sprintf("bob%d", n)))
		if err := s.d.addAccount(ctx, s.boxes[n].user); err != nil {
			return nil, err
		}
	}
	for n := 0; n < idle; n += 2 {
		if err := s.d.addAccount(ctx, idleUser(n)); err != nil {
			return nil, err
		}
	}
	r = &Report{Date: time.Now().UTC().Format(time.DateOnly)}
	if r.Before, err = s.sample(ctx); err != nil {
		return nil, err
	}
	s.begun = time.Now()
	s.load(ctx, duration, every, idle)
	r.Minutes = time.Since(s.begun).Minutes()
	if r.After, err = s.settle(ctx, r.Before); err != nil {
		return nil, err
	}
	s.audit(ctx, r)
	r.Samples = s.samples
	r.Sessions, r.Fetched, r.Octets = s.count.sessions.Load(), s.count.fetched.Load(), s.count.octets.Load()
	r.HalfOpen, r.Guesses, r.InUse = s.count.halfOpen.Load(), s.count.guesses.Load(), s.count.inUse.Load()
	r.Reloads, r.Accounts = s.count.reloads.Load(), s.count.accounts.Load()
	r.Faults = append(r.Faults, s.faults...)
	r.judge()
	return r, nil
}

// load runs all clients for that long, and waits for them to end.
func (s *soak) load(ctx context.Context, duration, every time.Duration, idle int) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var clients sync.WaitGroup
	clients.Go(func() { s.watch(ctx, every) })
	for range 8 {
		clients.Go(func() { s.pickUp(ctx) })
	}
	for n := range 3 {
		clients.Go(func() { s.deliver(ctx, n) })
	}
	for n := range idle {
		clients.Go(func() { s.hold(ctx, n) })
	}
	for range 12 {
		clients.Go(func() { s.halfOpen(ctx) })
	}
	clients.Go(func() { s.guess(ctx) })
	clients.Go(func() { s.reload(ctx) })
	clients.Go(func() { s.comeAndGo(ctx) })
	clients.Wait()
}

// settle samples until what the load held was given back, for a minute and a half at most: cut sessions end within one.
func (s *soak) settle(ctx context.Context, before Sample) (after Sample, err error) {
	for end := time.Now().Add(90 * time.Second); ; {
		if after, err = s.sample(ctx); err != nil || calm(before, after) || time.Now().After(end) {
			return after, err
		}
		if !pause(ctx, 500*time.Millisecond) {
			return after, ctx.Err()
		}
	}
}

// audit fetches everything that is left, compares it with the ledger, and lets the store check itself.
func (s *soak) audit(ctx context.Context, r *Report) {
	for _, b := range s.boxes {
		s.try("audit", func() error {
			return s.visit(b, make([]byte, 64<<10), func(v *visit) error {
				ids, _, err := v.retrieve(1 << 30)
				if err != nil {
					return err
				}
				for _, id := range ids {
					delete(v.must, id)
				}
				if len(v.must) > 0 {
					return fmt.Errorf("%s: %d messages are lost", b.user, len(v.must))
				}
				return v.c.Quit()
			})
		})
		r.Mail.count(b)
	}
	s.try("store check", func() error {
		_, err := s.d.command(ctx, "", "store", "check")
		return err
	})
}
