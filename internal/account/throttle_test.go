package account

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	home   = origin(netip.MustParseAddr("192.0.2.1"))
	office = origin(netip.MustParseAddr("198.51.100.7"))
)

func from(n int) netip.Prefix {
	return origin(netip.AddrFrom4([4]byte{203, byte(n >> 16), byte(n >> 8), byte(n)}))
}

// A throttleTest drives a throttle at a time that it sets.
type throttleTest struct {
	*testing.T
	*throttle
	now time.Time
}

func newThrottleTest(t *testing.T, opt ThrottleOptions) *throttleTest {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return &throttleTest{t, newThrottle(opt, start), start}
}

// wait returns how long an attempt has to wait, 0 for one that is let in.
func (t *throttleTest) wait(a attempt) time.Duration {
	t.Helper()
	err := t.admit(t.now, a)
	var te *ThrottledError
	if err != nil && !errors.As(err, &te) {
		t.Fatalf("admit: %v", err)
	}
	if err != nil {
		return te.After
	}
	return 0
}

// guess makes a wrong guess and returns the time it has to wait for the next one.
func (t *throttleTest) guess(a attempt) time.Duration {
	t.Helper()
	if d := t.wait(a); d != 0 {
		t.Fatalf("%v must wait %v", a, d)
	}
	_ = t.failed(t.now, a)
	if d := t.wait(a); d != 0 {
		return d
	}
	t.cancelled(t.now, a)
	return 0
}

func (t *throttleTest) signIn(a attempt) {
	t.Helper()
	if d := t.wait(a); d != 0 {
		t.Fatalf("%v must wait %v", a, d)
	}
	t.succeeded(t.now, a)
}

func TestThrottleDoublesTheDelay(t *testing.T) {
	t.Parallel()
	s := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for name, opt := range map[string]ThrottleOptions{
		"address": {FreePerAddress: 3, FreePerAccount: -1, MaxDelay: 20 * time.Second},
		"account": {FreePerAddress: -1, FreePerAccount: 3, MaxDelay: 20 * time.Second},
	} {
		tt := newThrottleTest(t, opt)
		var got []time.Duration
		for i := range 14 {
			a := attempt{home, fmt.Sprint("user", i)} // one address, many accounts
			if name == "account" {
				a = attempt{from(i), "alice"} // many addresses, one account
			}
			d := tt.guess(a)
			got = append(got, d)
			tt.now = tt.now.Add(d)
		}
		// One failure is forgiven at 20 s, 40 s and so on, which is why it stays at 16 s for a while.
		want := []time.Duration{0, 0, 0, s(1), s(2), s(4), s(8), s(16), s(16), s(16), s(16), s(20), s(20), s(20)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: delays (-want +got):\n%s", name, diff)
		}
	}
}

func TestThrottleDefaults(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{})
	for i := range 10 {
		if d := tt.guess(attempt{home, "alice"}); d != 0 {
			t.Fatalf("failure %d: must wait %v", i+1, d)
		}
	}
	if d := tt.guess(attempt{home, "alice"}); d != time.Second {
		t.Errorf("after 11 failures: must wait %v, want 1s", d)
	}
	for range 40 {
		tt.now = tt.now.Add(tt.guess1(attempt{home, "alice"}))
	}
	if d := tt.guess1(attempt{home, "alice"}); d != 15*time.Minute {
		t.Errorf("after 50 failures: must wait %v, want 15m", d)
	}
}

// guess1 waits for as long as it has to and guesses.
func (t *throttleTest) guess1(a attempt) time.Duration {
	t.Helper()
	d := t.wait(a)
	t.now = t.now.Add(d)
	t.cancelled(t.now, a)
	return t.guess(a)
}

func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: 2, FreePerAccount: -1, MaxDelay: time.Minute})
	a := attempt{home, "alice"}
	tt.guess(a)
	tt.guess(a)
	tt.now = tt.now.Add(time.Minute - 1) // nothing forgiven yet
	if d := tt.guess(a); d != time.Second {
		t.Errorf("third failure within a minute: must wait %v, want 1s", d)
	}
	tt.now = tt.now.Add(3 * time.Minute) // all three forgiven
	if d := tt.guess(a); d != 0 {
		t.Errorf("first failure after three minutes: must wait %v", d)
	}
	if d := tt.guess(a); d != 0 {
		t.Errorf("second failure after three minutes: must wait %v", d)
	}
}

// A flood of guesses against an account, from everywhere, does not lock out its owner at home, while it does slow down
// everybody else.
func TestThrottleFloodDoesNotLockOutTheOwner(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{})
	owner := attempt{home, "alice"}
	tt.signIn(owner)
	for i := range 5000 {
		a := attempt{from(i), "alice"}
		if tt.wait(a) == 0 {
			_ = tt.failed(tt.now, a)
		}
		tt.now = tt.now.Add(time.Second)
	}
	tt.signIn(owner)
	if d := tt.wait(attempt{office, "alice"}); d == 0 {
		t.Error("an address that is not known is let in during the flood")
	}
	if d := tt.wait(attempt{office, "bob"}); d != 0 {
		t.Errorf("another account has to wait %v", d)
	}
}

// Guesses from the owner's own address are slowed down as well, for this account and nobody else there.
func TestThrottleKnownAddressIsCountedByItself(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAccount: 3, FreePerAddress: 3})
	owner := attempt{home, "alice"}
	tt.signIn(owner)
	for i, want := range []time.Duration{0, 0, 0, time.Second} {
		tt.signIn(owner) // which forgives nothing
		if d := tt.guess(owner); d != want {
			t.Errorf("failure %d: must wait %v, want %v", i+1, d, want)
		}
	}
	if d := tt.wait(attempt{home, "bob"}); d != 0 {
		t.Errorf("the rest of the household has to wait %v", d)
	}
	if d := tt.wait(attempt{office, "alice"}); d != 0 {
		t.Errorf("elsewhere alice has to wait %v", d)
	}
}

func TestThrottleKnownAddressIsForgotten(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAccount: 1, FreePerAddress: -1, MaxDelay: time.Hour, Known: 24 * time.Hour})
	owner, stranger := attempt{home, "alice"}, attempt{office, "alice"}
	tt.signIn(owner)
	tt.now = tt.now.Add(24*time.Hour - time.Minute)
	tt.guess(stranger)
	if d := tt.guess(stranger); d != time.Second {
		t.Fatalf("a stranger must wait %v, want 1s", d)
	}
	if d := tt.wait(owner); d != 0 {
		t.Errorf("a known address must wait %v", d)
	}
	tt.now = tt.now.Add(time.Minute)
	tt.guess(stranger)
	if d := tt.wait(owner); d == 0 {
		t.Error("the address is still known after a day")
	}
}

// Signing in does not wipe out failures: a guesser could do that with an account of their own.
func TestThrottleSuccessDoesNotForgive(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: 4})
	for i := range 4 {
		tt.guess(attempt{home, fmt.Sprint("victim", i)})
		tt.signIn(attempt{home, "mallory"})
	}
	if d := tt.guess(attempt{home, "victim"}); d != time.Second {
		t.Errorf("must wait %v, want 1s", d)
	}
}

// Past the free failures there is one attempt at a time, however many connections there are, and giving one up does not
// clear the delay of a failure.
func TestThrottleManyAtOnce(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: 2})
	a := attempt{home, "alice"}
	tt.guess(a)
	tt.guess(a)
	if d := tt.wait(a); d != 0 {
		t.Fatalf("must wait %v", d)
	}
	for range 100 {
		if d := tt.wait(a); d != time.Second {
			t.Fatalf("while one is under way: must wait %v, want 1s", d)
		}
	}
	_ = tt.failed(tt.now, a)
	tt.cancelled(tt.now, a)
	tt.succeeded(tt.now, attempt{home, "mallory"})
	if d := tt.wait(a); d != time.Second {
		t.Errorf("after the failure: must wait %v, want 1s", d)
	}
}

// A burst that was let in before it was known to be one gets no more answers than guesses one after the other do, and makes
// the wait no longer.
func TestThrottleBurst(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: 2, MaxDelay: 8 * time.Second})
	a := attempt{home, "alice"}
	for range 1000 {
		if d := tt.wait(a); d != 0 {
			t.Fatalf("must wait %v", d)
		}
	}
	var answered []int // of 100 that end at the same time
	for _, pause := range []time.Duration{0, time.Second, time.Second, time.Second, 2 * time.Second, 8 * time.Second, 8 * time.Second} {
		tt.now = tt.now.Add(pause)
		n := 0
		for range 100 {
			if tt.failed(tt.now, a) == nil {
				n++
			}
		}
		answered = append(answered, n)
	}
	if diff := cmp.Diff([]int{3, 1, 0, 1, 0, 1, 1}, answered); diff != "" {
		t.Errorf("answered (-want +got):\n%s", diff)
	}
	if d := tt.wait(a); d != 4*time.Second { // two were forgiven
		t.Errorf("after the burst: must wait %v, want 4s", d)
	}
	if err := tt.late(tt.now, a); err == nil {
		t.Error("a right guess of the burst is answered")
	}
	tt.now = tt.now.Add((2 + 4) * 8 * time.Second) // the free ones, and those from 1 s to 8 s
	for range 2 {
		if d := tt.guess(a); d != 0 {
			t.Errorf("when all is forgiven: must wait %v", d)
		}
	}
}

func TestThrottleOff(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: -1, FreePerAccount: -1})
	for range 1000 {
		if d := tt.guess(attempt{home, "alice"}); d != 0 {
			t.Fatalf("must wait %v", d)
		}
	}
	if n := tt.address.len() + tt.account.len(); n > 2 {
		t.Errorf("%d entries", n)
	}
}

func TestThrottleWithoutAddressOrName(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{FreePerAddress: 1, FreePerAccount: 1})
	tt.guess(attempt{home, ""})
	if d := tt.guess(attempt{home, ""}); d != time.Second {
		t.Errorf("names that cannot be: must wait %v, want 1s", d)
	}
	tt.guess(attempt{netip.Prefix{}, "bob"})
	if d := tt.guess(attempt{netip.Prefix{}, "bob"}); d != time.Second {
		t.Errorf("a local process: must wait %v, want 1s", d)
	}
	tt.succeeded(tt.now, attempt{netip.Prefix{}, "bob"})
	tt.succeeded(tt.now, attempt{home, ""})
	if n := tt.pair.len(); n != 0 {
		t.Errorf("%d pairs without an address or a name", n)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1/32"},
		{"::ffff:192.0.2.1", "192.0.2.1/32"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"::1", "::/64"},
	}
	for _, tt := range tests {
		if got := origin(netip.MustParseAddr(tt.in)).String(); got != tt.want {
			t.Errorf("origin(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
	if origin(netip.Addr{}).IsValid() {
		t.Error("no address has an origin")
	}
}

// A flood cannot make it grow, and it does not hold on to the lines that names came in.
func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{Entries: 100})
	for i := range 10000 {
		a := attempt{from(i), fmt.Sprint("user", i)}
		_ = tt.failed(tt.now, a)
		tt.succeeded(tt.now, a)
	}
	if a, b, c := len(tt.address.slots), len(tt.account.slots), len(tt.pair.slots); a > 101 || b > 101 || c > 101 {
		t.Errorf("%d addresses, %d accounts, %d pairs; want 100 of each", a-1, b-1, c-1)
	}
	if tt := newThrottleTest(t, ThrottleOptions{}); tt.address.limit != 65536 {
		t.Errorf("%d entries by default, want 65536", tt.address.limit)
	}
}

// What goes well leaves nothing behind but the pair.
func TestThrottleGoodSignInsTakeNoRoom(t *testing.T) {
	t.Parallel()
	tt := newThrottleTest(t, ThrottleOptions{})
	for i := range 100 {
		tt.signIn(attempt{from(i), "alice"})
	}
	if tt.address.len() != 0 || tt.account.len() != 0 || tt.pair.len() != 100 {
		t.Errorf("%d addresses, %d accounts, %d pairs; want 0, 0, 100", tt.address.len(), tt.account.len(), tt.pair.len())
	}
}

func TestThrottleConcurrently(t *testing.T) {
	t.Parallel()
	th := newThrottle(ThrottleOptions{Entries: 10, FreePerAddress: 2, FreePerAccount: 2}, time.Now())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				a := attempt{from((i + j) % 20), strings.Repeat("x", j%15)}
				if th.admit(time.Now(), a) != nil {
					continue
				}
				switch j % 3 {
				case 0:
					_ = th.failed(time.Now(), a)
				case 1:
					th.succeeded(time.Now(), a)
				case 2:
					th.cancelled(time.Now(), a)
				}
			}
		})
	}
	wg.Wait()
}
