package collect

import (
	"context"
	"time"
)

// An Account is a mailbox to be collected, where its mail goes, and by which rules.
type Account struct {
	// Name is the account's name in the journal, in logs and in its lock. With another name it is another account, which
	// has fetched nothing yet.
	Name string
	// Host is the server, for politeness between accounts at the same one. Empty: a host of its own.
	Host   string
	Source Source
	// Sinks are where each message goes: to all of them, or it stays at the source. Their names must differ.
	Sinks []Sink
	Rules Rules
	// Interval is the time between runs of a Schedule. Default: 5 minutes.
	Interval time.Duration
}

// Rules say what to fetch and what to delete at the source. The zero Rules fetch everything and leave it where it is.
type Rules struct {
	// Delete removes messages at the source once all sinks have them.
	Delete bool
	// DeleteAfter, with Delete, leaves them there for this long after they were fetched.
	DeleteAfter time.Duration
	// KeepNewest, with Delete, leaves this many messages, the last ones of the listing.
	KeepNewest int
	// SkipAbove leaves larger messages where they are. 0: none is too large.
	SkipAbove int64
	// DeleteAbove deletes larger messages without fetching them: they are lost. 0: none. It needs no Delete.
	DeleteAbove int64

	// Start says what the very first run fetches.
	Start Start
	// StartAge is for StartRecent: how old a message may be, by its Date.
	StartAge time.Duration

	// Filter, if set, sees each new message's header (with the empty line) before it is downloaded, if the source can
	// give headers alone, else when its header has arrived. An error: try again at the next run.
	Filter func(ctx context.Context, header []byte) (Verdict, error)

	// Scan, if set, looks at each whole message before any sink gets it. The message is kept in Options.SpoolFolder meanwhile.
	Scan Scanner
	// Quarantine are the sinks, in place of Account.Sinks, for messages that Scan puts there. Their names must differ from
	// those.
	Quarantine []Sink

	// MaxMessages and MaxOctets bound what one run fetches. 0: no bound.
	MaxMessages int
	MaxOctets   int64
	// Bandwidth is how many octets are fetched per second at most. 0: no bound.
	Bandwidth int64

	// Trace puts a Received line before each message that says where it was fetched.
	Trace bool
	// Dedupe leaves out messages whose Message-ID another account has brought to the same sinks. They count as fetched.
	Dedupe bool

	// MaxAttempts is after how many failed attempts a message is set aside: from then on it is tried once in RetryAfter,
	// and each run reports it. Defaults: 5, 24 hours.
	MaxAttempts int
	RetryAfter  time.Duration
	// Forget is for how long a message must have been missing from the listings before the journal forgets it. Default:
	// 30 days.
	Forget time.Duration
}

// Start is what the very first run of an account fetches. What it does not fetch stays at the source for good.
type Start uint8

// Ways to start.
const (
	// StartAll fetches everything.
	StartAll Start = iota
	// StartNow fetches nothing: only what comes from then on. Nothing is downloaded.
	StartNow
	// StartRecent fetches what is at most Rules.StartAge old. Of the rest only headers are downloaded; a message whose
	// Date cannot be read is fetched, and without headers everything is.
	StartRecent
)

// A Verdict is the word of a filter or of a Scanner.
type Verdict uint8

// Verdicts.
const (
	// Fetch the message.
	Fetch Verdict = iota
	// Discard deletes the message at the source without fetching it: it is lost.
	Discard
	// Leave the message where it is, for good.
	Leave
	// Quarantine delivers it to Rules.Quarantine. Only a Scanner may say so.
	Quarantine
)

// String returns "fetch", "discard", "leave" or "quarantine".
func (v Verdict) String() string {
	switch v {
	case Fetch:
		return "fetch"
	case Discard:
		return "discard"
	case Leave:
		return "leave"
	case Quarantine:
		return "quarantine"
	}
	return "unknown"
}

func (r *Rules) withDefaults() Rules {
	c := *r
	if c.MaxAttempts <= 0 {
		c.MaxAttempts = 5
	}
	if c.RetryAfter <= 0 {
		c.RetryAfter = 24 * time.Hour
	}
	if c.Forget <= 0 {
		c.Forget = 30 * 24 * time.Hour
	}
	return c
}
