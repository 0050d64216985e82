package account

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ThrottleOptions say how guessing is slowed down. The zero value is right.
//
// Each address (IPv6: each /64) and each account may fail some times for free. After that, each failure doubles the time
// for which nothing more is looked at, from one second to MaxDelay. One failure is forgiven for every MaxDelay that
// passes, so in the long run there is one guess per MaxDelay. Refused attempts cost no lookup and no hash, wait nowhere,
// and do not count. The same holds for what was let in, and could have been refused when it ended, because others failed
// meanwhile: beginning many attempts at once gains nothing.
//
// An address from which somebody signed in to an account of late is counted by itself for this account. So a flood of
// guesses from elsewhere cannot lock out the owner, and one device of a household with an old password does not slow
// down the others.
type ThrottleOptions struct {
	// FreePerAddress and FreePerAccount are the failures without consequence. Zero means 10; negative means any number.
	FreePerAddress, FreePerAccount int
	// MaxDelay is the longest delay. Zero means 15 minutes.
	MaxDelay time.Duration
	// Known is for how long after a good sign-in its address counts as known to the account. Zero means 30 days.
	Known time.Duration
	// Entries bounds how many addresses, how many accounts, and how many pairs of both are remembered; beyond that the
	// ones not seen for longest are forgotten. Zero means 65536.
	Entries int
}

func (o ThrottleOptions) withDefaults() ThrottleOptions {
	if o.FreePerAddress == 0 {
		o.FreePerAddress = 10
	}
	if o.FreePerAccount == 0 {
		o.FreePerAccount = 10
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 15 * time.Minute
	}
	if o.Known <= 0 {
		o.Known = 30 * 24 * time.Hour
	}
	if o.Entries <= 0 {
		o.Entries = 1 << 16
	}
	return o
}

// A throttle counts failures. It knows accounts by the name that was tried, whether there is such an account or not, so
// that it tells nobody which there are. Its times are durations since its start: a clock that is set does not matter.
type throttle struct {
	opt      ThrottleOptions
	doubling int // failures from the first that is not free to the longest delay
	start    time.Time

	mu      sync.Mutex
	address *lru[netip.Prefix, failures]
	account *lru[string, failures]
	pair    *lru[pair, failures]
}

// An attempt is what one try to sign in counts against.
type attempt struct {
	from netip.Prefix // of origin; invalid for a local process
	name string       // canonical; empty for what cannot be a name
}

// A pair is an account and an address from which it was signed in to.
type pair attempt

// failures is what is known of an address, an account or a pair.
type failures struct {
	count   int
	counted time.Duration // when count was last brought up to date
	until   time.Duration // nothing is looked at before, because of failures
	booked  time.Duration // nothing is looked at before, because an attempt is under way
	good    time.Duration // last good sign-in; only pairs have it
}

func newThrottle(opt ThrottleOptions, start time.Time) *throttle {
	t := &throttle{opt: opt.withDefaults(), start: start}
	for t.doubling = 1; t.delay(t.doubling) < t.opt.MaxDelay; {
		t.doubling++
	}
	t.address = newLRU[netip.Prefix, failures](t.opt.Entries)
	t.account = newLRU[string, failures](t.opt.Entries)
	t.pair = newLRU[pair, failures](t.opt.Entries)
	return t
}

// origin returns the part of an address that counts as one: IPv4 /32, IPv6 /64. It is invalid for an invalid address.
func origin(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return netip.Prefix{}
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// admit returns a *ThrottledError if nothing is to be looked at now. Else failed, succeeded or cancelled tells how the
// attempt ended. Past the free failures, the delay of a failure is booked in advance: then there is one attempt at a
// time, many connections at once gain nothing, and an attempt whose end is never told costs the delay.
func (t *throttle) admit(at time.Time, a attempt) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := at.Sub(t.start)
	var wait time.Duration
	t.each(now, a, false, func(f *failures, _ int) { wait = max(wait, f.until-now, f.booked-now) })
	if wait > 0 {
		return &ThrottledError{After: wait}
	}
	t.each(now, a, false, func(f *failures, free int) {
		if f.count >= free {
			f.booked = now + t.delay(f.count-free+1)
		}
	})
	return nil
}

// late returns a *ThrottledError for an attempt during which others failed so often that it would not be let in now. What
// came of it is told to nobody and does not count: else many attempts that begin together would all be free.
func (t *throttle) late(at time.Time, a attempt) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tooLate(at.Sub(t.start), a)
}

// tooLate is late for those who have the lock.
func (t *throttle) tooLate(now time.Duration, a attempt) error {
	var wait time.Duration
	t.each(now, a, false, func(f *failures, _ int) { wait = max(wait, f.until-now) })
	if wait > 0 {
		return &ThrottledError{After: wait}
	}
	return nil
}

// failed counts a wrong guess, unless it is late.
func (t *throttle) failed(at time.Time, a attempt) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := at.Sub(t.start)
	if err := t.tooLate(now, a); err != nil {
		return err
	}
	a.name = strings.Clone(a.name) // it may be part of a large line
	t.each(now, a, true, func(f *failures, free int) {
		if f.count == 0 {
			f.counted = now
		}
		f.booked = 0
		f.count = min(f.count+1, free+t.doubling)
		if f.count > free {
			f.until = now + t.delay(f.count-free)
		}
	})
	return nil
}

// cancelled ends an attempt of which nothing is to be kept.
func (t *throttle) cancelled(at time.Time, a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.each(at.Sub(t.start), a, false, func(f *failures, _ int) { f.booked = 0 })
}

// succeeded ends a good attempt and makes the address known to the account. Failures stay: else a guesser with an
// account of their own, or behind the owner's address, could wipe them out.
func (t *throttle) succeeded(at time.Time, a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := at.Sub(t.start)
	t.each(now, a, false, func(f *failures, _ int) { f.booked = 0 })
	if !a.from.IsValid() || a.name == "" {
		return
	}
	p := t.pair.get(pair(a))
	if p == nil {
		a.name = strings.Clone(a.name)
		p = t.pair.put(pair(a))
	}
	p.good = now
}

// each calls do with what an attempt counts against, brought up to date, and with how many failures are free there.
// Entries that are not there are made if create is set, else left out.
func (t *throttle) each(now time.Duration, a attempt, create bool, do func(f *failures, free int)) {
	if f := t.pair.get(pair(a)); f != nil && now-f.good < t.opt.Known {
		t.apply(now, f, t.opt.FreePerAccount, do)
		return
	}
	if a.from.IsValid() {
		t.apply(now, entry(t.address, a.from, create), t.opt.FreePerAddress, do)
	}
	if a.name != "" {
		t.apply(now, entry(t.account, a.name, create), t.opt.FreePerAccount, do)
	}
}

func entry[K comparable](l *lru[K, failures], key K, create bool) *failures {
	if create {
		return l.put(key)
	}
	return l.get(key)
}

// apply forgives one failure for every MaxDelay that passed, then calls do.
func (t *throttle) apply(now time.Duration, f *failures, free int, do func(f *failures, free int)) {
	if f == nil || free < 0 {
		return
	}
	if n := int((now - f.counted) / t.opt.MaxDelay); n >= f.count {
		f.count = 0
	} else {
		f.count -= n
		f.counted += time.Duration(n) * t.opt.MaxDelay
	}
	do(f, free)
}

// delay returns the delay after the nth failure that is not free.
func (t *throttle) delay(n int) time.Duration {
	const most = 32 // 2^32 seconds are longer than any delay, and the shift stays in bounds
	return min(time.Second<<(min(n, most)-1), t.opt.MaxDelay)
}
