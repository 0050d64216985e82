package collect

import "time"

// Options are what runs share.
type Options struct {
	// Journal is the memory of what was done. It may be shared by runs at the same time.
	Journal *Journal
	// LockFolder is where the lock files of accounts are. Empty: runs of one account in several processes are not kept
	// apart, only those that share the Journal.
	LockFolder string
	// SpoolFolder is where a message is kept while Rules.Scan looks at it, in a file without a name. Default: the system's
	// folder for temporary files.
	SpoolFolder string
	// Hostname is this machine's name, for trace lines. Default: "localhost".
	Hostname string
	// Progress, if set, hears what happens, synchronously, from the goroutine of the run.
	Progress func(Event)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// step, for tests, is called before each step that a crash could divide from the next.
	step func(name string)
}

// EventKind says what happened.
type EventKind uint8

// What a run tells.
const (
	// EventOpened: signed in and listed; the totals are known.
	EventOpened EventKind = iota
	// EventProgress: more octets have arrived, told at most once per 64 KiB and message end.
	EventProgress
	// EventFetched: a message is in all sinks.
	EventFetched
	// EventFailed: a message could not be fetched now; see Err.
	EventFailed
	// EventWarning: something a person should know, which ends nothing; see Err.
	EventWarning
	// EventDeleted: a message is marked as deleted at the source.
	EventDeleted
	// EventFinished: the run is over; see Err.
	EventFinished
)

// String returns the word for JSON and logs.
func (k EventKind) String() string {
	switch k {
	case EventOpened:
		return "opened"
	case EventProgress:
		return "progress"
	case EventFetched:
		return "fetched"
	case EventFailed:
		return "failed"
	case EventWarning:
		return "warning"
	case EventDeleted:
		return "deleted"
	case EventFinished:
		return "finished"
	}
	return "unknown"
}

// An Event is told to Options.Progress.
type Event struct {
	Kind    EventKind
	Account string
	UID     string // of the message it is about, if any
	Key     string // of its letter
	Size    int64  // of the message: as the listing says, at EventFetched as it was
	// Messages and Octets are what was fetched so far; TotalMessages and TotalOctets are what will be, as the listing says.
	Messages, TotalMessages int
	Octets, TotalOctets     int64
	Err                     error
}

// A Report is what a run did. It is filled in as far as the run came, also beside an error.
type Report struct {
	Account         string
	Started, Ended  time.Time
	Listed          int   // messages in the listing
	New             int   // of them, not known before
	Fetched         int   // in all sinks now
	Octets          int64 // of what was fetched
	Duplicates      int   // not fetched because another account had
	Renumbered      int   // known by their content under another unique-id, not fetched again
	Deleted         int   // removed at the source, confirmed
	DeletesPending  int   // marked, not confirmed; asked for again at the next run
	Discarded       int   // of Deleted and DeletesPending, by rule without fetching
	Quarantined     int   // of Fetched, by Rules.Scan
	Skipped         int   // left by rule
	Failed          int   // not fetched because of an error, to be tried again
	SetAside        []Poison
	Capped          int // left for the next run by MaxMessages, MaxOctets
	LoginDelay      time.Duration
	Warnings        []string // at most 100
	BytesFromSource int64    // octets of message data that arrived, kept or not
}

// A Poison is a message that failed again and again.
type Poison struct {
	UID      string
	Size     int64
	Attempts int
	Error    string // of the last attempt
	Next     time.Time
}

// An Action is what a run would do with a message.
type Action uint8

// Actions.
const (
	// ActionNone: nothing is to be done.
	ActionNone Action = iota
	// ActionFetch brings it home, and deletes it at the source if the rules say at once.
	ActionFetch
	// ActionDelete deletes it at the source: it was fetched before.
	ActionDelete
	// ActionDiscard deletes it at the source without fetching it.
	ActionDiscard
	// ActionSkip leaves it by rule.
	ActionSkip
	// ActionLater leaves it for a later run, which will look again: it failed too often, a filter or a scanner cannot tell, or
	// one run may not fetch so much.
	ActionLater
)

// String returns "none", "fetch", "delete", "discard", "skip" or "later".
func (a Action) String() string {
	switch a {
	case ActionNone:
		return "none"
	case ActionFetch:
		return "fetch"
	case ActionDelete:
		return "delete"
	case ActionDiscard:
		return "discard"
	case ActionSkip:
		return "skip"
	case ActionLater:
		return "later"
	}
	return "unknown"
}

// A Decision is what a run would do with one message, and why.
type Decision struct {
	Remote
	Action Action
	// Reason is a few words for people: "new", "fetched before, DELE was not confirmed", "larger than 10485760 octets".
	Reason string
	// Delete says that an ActionFetch is followed by the deletion at the source in the same run.
	Delete bool
}
