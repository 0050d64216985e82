package account

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever attackers do from wherever, in whatever order: the owner gets in at home at once, and what they can try
// against an account or from an address stays within what is free and one guess per MaxDelay.
func TestThrottleModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.IntRange(1, 4).Draw(t, "free")
		maxDelay := time.Duration(rapid.IntRange(1, 40).Draw(t, "maxDelay")) * time.Second
		start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		now := start
		th := newThrottle(ThrottleOptions{FreePerAddress: free, FreePerAccount: free, MaxDelay: maxDelay}, start)
		owner := attempt{home, "alice"}
		signIn := func() {
			if err := th.admit(now, owner); err != nil {
				t.Fatalf("the owner at home: %v", err)
			}
			th.succeeded(now, owner)
		}
		signIn()

		guesses := map[any]int{} // wrong ones that were looked at, by account and by address
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "pause")) * time.Millisecond)
			a := attempt{from(rapid.IntRange(0, 5).Draw(t, "from")), rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "name")}
			switch rapid.SampledFrom([]string{"guess", "guess", "guess", "owner", "mallory", "break off"}).Draw(t, "step") {
			case "guess":
				if th.admit(now, a) == nil {
					_ = th.failed(now, a)
					guesses[a.name]++
					guesses[a.from]++
				}
			case "owner":
				signIn()
			case "mallory": // has an account of their own, which must not help
				a.name = "mallory"
				if th.admit(now, a) == nil {
					th.succeeded(now, a)
				}
			case "break off":
				if th.admit(now, a) == nil && rapid.Bool().Draw(t, "told") {
					th.cancelled(now, a)
				}
			}
		}
		// While the delay grows there are doubling guesses at most; then one per MaxDelay, and one more for each that is
		// forgiven in that time.
		most := free + th.doubling + 2*int(now.Sub(start)/maxDelay) + 2
		for who, n := range guesses {
			if n > most {
				t.Fatalf("%v: %d guesses in %v, want %d at most", who, n, now.Sub(start), most)
			}
		}
	})
}
