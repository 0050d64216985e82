package pop3server

import (
	"testing"
	"time"
)

// TestDeadline: a wait is never shorter than asked for and at most a little longer, however many commands came before.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{time.Second, time.Minute, 10 * time.Minute} {
		var d deadline
		now, sets := time.Unix(1_000_000_000, 0), 0
		for range 1000 {
			at, set := d.extend(now, wait)
			if set {
				sets++
			}
			if left := at.Sub(now); left < wait || left > wait+wait/lateness {
				t.Fatalf("a wait of %v got %v", wait, left)
			}
			now = now.Add(10 * time.Millisecond)
		}
		if wait == 10*time.Minute && sets > 2 {
			t.Errorf("%d timers for 1000 commands of 10 seconds", sets)
		}
	}
	// A long wait that was set does not stand for a short one.
	var d deadline
	now := time.Now()
	d.extend(now, 10*time.Minute)
	if at, set := d.extend(now, time.Minute); !set || at.Sub(now) > 2*time.Minute {
		t.Errorf("a minute after ten minutes: %v, %v", at.Sub(now), set)
	}
}
