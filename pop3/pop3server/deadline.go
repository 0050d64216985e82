package pop3server

import "time"

// A deadline is when the other end must have done something. Setting one costs the runtime a timer, each time, and there
// would be two for each command: so it is set a little late, and lasts for all commands of the time in between.
type deadline struct{ at time.Time }

// lateness is the part of a wait by which it may take longer: 9 seconds of 10 minutes. Waits of less than a minute are exact.
const lateness = 64

// extend reports whether the deadline has to be set for a wait of d that begins now, and to what.
func (l *deadline) extend(now time.Time, d time.Duration) (at time.Time, set bool) {
	var late time.Duration
	if d >= time.Minute {
		late = d / lateness
	}
	return l.extendLate(now, d, late)
}

// extendLate is extend for a wait that may take so much longer.
func (l *deadline) extendLate(now time.Time, d, late time.Duration) (at time.Time, set bool) {
	if left := l.at.Sub(now); left >= d && left <= d+late {
		return l.at, false
	}
	l.at = now.Add(d + late)
	return l.at, true
}
