package catalog

import (
	"runtime"
	"time"
)

// Options change how a catalog is opened. The zero value is right for a server.
type Options struct {
	// Readers is how many transactions may read at the same time, each on a connection of its own that is opened when
	// first needed. Zero means twice the processors, at least 4.
	Readers int
	// Batch is how many calls of Write share one commit at most. Zero means 256.
	Batch int
	// Queue is how many calls of Write may wait; more of them wait outside, without a place. Zero means 1024.
	Queue int
	// BusyTimeout is how long a write waits for another process before it fails with ErrBusy. Zero means 10 s.
	BusyTimeout time.Duration
	// CheckpointDelay is how long after a write the log is copied into the catalog in the background, so that a burst
	// of writes is copied once. Zero means 1 s.
	CheckpointDelay time.Duration
	// MaxLog is the size of the log in octets from which the writer itself copies it, because the background cannot keep
	// up. Zero means 32 MiB.
	MaxLog int64
}

func (o Options) withDefaults() Options {
	if o.Readers <= 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.Batch <= 0 {
		o.Batch = 256
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 10 * time.Second
	}
	if o.CheckpointDelay <= 0 {
		o.CheckpointDelay = time.Second
	}
	if o.MaxLog <= 0 {
		o.MaxLog = 32 << 20
	}
	return o
}
