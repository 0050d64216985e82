package collect

import (
	"context"
	"time"
)

// An Adopted is a message that another collector has fetched.
type Adopted struct {
	UID string
	// Fetched is when; zero means now.
	Fetched time.Time
}

// Adopt tells the journal what another collector has fetched of an account, so that it is not fetched again. What the
// journal knows already stays as it is; added is how many messages it did not know.
//
// The messages count as fetched at that time, so that the rules delete them at the source as if they had been; with leave
// they stay there for good. Until a run has seen a message, its unique-id is all that is known of it.
func (o *Options) Adopt(ctx context.Context, account string, all []Adopted, leave bool) (added int, err error) {
	unlock, err := o.Journal.lock(account, o.LockFolder)
	if err != nil {
		return 0, err
	}
	defer unlock()
	entries, _, _, err := o.Journal.load(ctx, account)
	if err != nil {
		return 0, err
	}
	m := newMemory(account, entries)
	now := o.now()
	for _, a := range all {
		if a.UID == "" || len(m.byUID[a.UID]) > 0 {
			continue
		}
		if a.Fetched.IsZero() || a.Fetched.After(now) {
			a.Fetched = now
		}
		e := m.add(Remote{UID: a.UID, Size: -1}, true, nil, now.Unix())
		e.phase, e.outcome, e.settled = phaseSettled, outcomeDelivered, a.Fetched.Unix()
		if leave {
			e.outcome = outcomeLeft
		}
		added++
	}
	return added, o.Journal.save(ctx, account, change{entries: m.takeChanged()})
}
