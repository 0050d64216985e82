package main

import (
	"context"
	"io"

	"github.com/postamt/postamt/internal/mailstore"
)

// An intake puts messages into one maildrop, in order, in batches: while one is made durable the next is read. All it
// counts is durable.
type intake struct {
	store mailstore.Store
	to    mailstore.Recipient

	stored int   // new ones
	octets int64 // of those
	there  int   // the maildrop had already
	done   int64 // octets of the source up to where all is durable

	batch  mailstore.Batch // being added to; nil if it has nothing
	added  int             // messages in it
	passed int64           // octets of the source it covers
	before chan committed  // the batch before it, in Commit; nil if there is none
	failed error           // why a batch could not be stored, final
}

// A committed is what became of a batch.
type committed struct {
	receipts []mailstore.Receipt
	err      error
	passed   int64
}

// batchOctets ends a batch before it has mailstore.MaxBatch messages: large ones gain nothing by waiting for each other.
const batchOctets = 4 << 20

// add takes in the message that r reads, which is so many octets of the source. After an error the messages before it can
// be stored still.
func (in *intake) add(ctx context.Context, env mailstore.Envelope, r io.Reader, octets int64) error {
	if in.batch == nil {
		in.batch = in.store.Batch(in.to)
	}
	if err := in.batch.Add(ctx, env, r); err != nil {
		return err
	}
	in.added++
	in.passed += octets
	if in.added == mailstore.MaxBatch || in.passed >= batchOctets {
		return in.commit(ctx)
	}
	return nil
}

// pass goes past octets of the source that are no message.
func (in *intake) pass(octets int64) { in.passed += octets }

// commit waits for the batch before and lets this one follow.
func (in *intake) commit(ctx context.Context) error {
	if err := in.wait(); err != nil {
		return err
	}
	batch, passed := in.batch, in.passed
	in.batch, in.added, in.passed = nil, 0, 0
	before := make(chan committed, 1)
	in.before = before
	go func() {
		receipts, err := batch.Commit(ctx)
		before <- committed{receipts, err, passed}
	}()
	return nil
}

// wait waits for the batch that is in Commit and counts it. Its error is that of the first batch that could not be stored.
func (in *intake) wait() error {
	if in.before == nil {
		return in.failed
	}
	c := <-in.before
	in.before = nil
	if in.failed = c.err; c.err != nil {
		return c.err
	}
	in.done += c.passed
	for _, r := range c.receipts {
		if r.Duplicate {
			in.there++
		} else {
			in.stored++
			in.octets += r.Octets
		}
	}
	return nil
}

// close stores what was added, unless a batch before it could not be stored: there must be no gap. It must be called, also
// after an error.
func (in *intake) close(ctx context.Context) error {
	err := in.wait()
	if err == nil && in.batch != nil {
		if err = in.commit(ctx); err == nil {
			err = in.wait()
		}
	}
	if in.batch != nil {
		in.batch.Abort()
	}
	if err == nil {
		in.done += in.passed
	}
	return err
}
