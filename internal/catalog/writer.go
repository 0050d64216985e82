package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// Write runs fn in a transaction and returns nil once its changes are durable: they survive a crash of process and
// machine. If fn or the commit fails, nothing of it is kept.
//
// Calls that come while a commit is under way share the next one; a call that fails does not disturb the others. A
// call waits its turn until ctx ends; once fn was started, Write waits for the outcome, so that its answer is always
// the truth. fn may be run again if the first attempt's transaction was lost to another call's fault: it must set its
// results anew each time. It must not call Write or Read of the same DB, nor wait for anything else: all writers wait
// for it.
func (db *DB) Write(ctx context.Context, fn func(context.Context, Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case <-db.stop:
		return ErrClosed
	default:
	}
	select {
	case db.w.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stop:
		return ErrClosed
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.state.CompareAndSwap(callWaits, callAbandoned) {
			return ctx.Err()
		}
		<-c.done
	case <-db.w.stopped:
		select {
		case <-c.done:
		default:
			return ErrClosed
		}
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}

// A call is one Write on its way through the writer.
type call struct {
	ctx      context.Context
	fn       func(context.Context, Tx) error
	state    atomic.Int32
	done     chan struct{} // closed when err and panicked are set
	err      error
	panicked any
}

const (
	callWaits = iota
	callRuns
	callAbandoned
)

var errPanicked = errors.New("catalog: function of a write panicked")

// run calls fn. A panic is kept for the goroutine that called Write: the writer serves everybody and must live.
func (c *call) run(tx Tx) {
	c.err, c.panicked = errPanicked, nil
	defer func() {
		if c.err == errPanicked {
			c.panicked = recover()
		}
	}()
	c.err = classify(c.fn(c.ctx, tx))
}

// The writer is the one goroutine that writes.
type writer struct {
	db      *DB
	pool    *sql.DB
	queue   chan *call
	stopped chan struct{} // closed when the goroutine has ended
	kick    chan<- struct{}
	conn    *conn // nil after a fault that left it in doubt; opened anew for the next batch
	batch   []*call
}

func newWriter(db *DB, first *conn) *writer {
	return &writer{
		db: db, pool: db.writers, conn: first,
		queue: make(chan *call, db.opt.Queue), stopped: make(chan struct{}),
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	defer w.dropConn()
	for {
		select {
		case <-w.db.stop:
			return
		case c := <-w.queue:
			w.gather(c)
			w.commit(w.batch)
			clear(w.batch)
		}
	}
}

// gather fills the batch with first and with what waits already.
func (w *writer) gather(first *call) {
	w.batch = w.batch[:0]
	runtime.Gosched() // first was often made ready together with others, who are about to call
	for c := first; ; {
		if c.state.CompareAndSwap(callWaits, callRuns) {
			w.batch = append(w.batch, c)
		}
		if len(w.batch) == w.db.opt.Batch {
			return
		}
		select {
		case c = <-w.queue:
		default:
			return
		}
	}
}

// commit runs a batch in one transaction and answers each call.
func (w *writer) commit(batch []*call) {
	if len(batch) == 0 {
		return
	}
	err := w.transaction(batch)
	if errors.Is(err, errLost) {
		// One call's fault (no room, say) undid the transaction of all: each gets one of its own.
		for i := range batch {
			w.commit(batch[i : i+1])
		}
		return
	}
	for _, c := range batch {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
	w.limitLog()
}

// errLost: the database gave up the transaction of a batch of several calls.
var errLost = errors.New("catalog: transaction was lost")

// transaction runs a batch and commits. Its error concerns all calls that have none of their own.
func (w *writer) transaction(batch []*call) error {
	if w.conn == nil {
		c, err := open(context.Background(), w.pool)
		if err != nil {
			return classify(err)
		}
		w.conn = c
	}
	if err := w.conn.do("BEGIN IMMEDIATE"); err != nil {
		w.rollback(err)
		return err
	}
	var err error
	if len(batch) == 1 {
		batch[0].run(w.conn)
		if batch[0].err != nil {
			w.rollback(batch[0].err)
			return nil
		}
	} else if err = w.savepoints(batch); err != nil {
		w.rollback(err)
		return err
	}
	if err = w.conn.do("COMMIT"); err != nil {
		w.rollback(err)
		return fmt.Errorf("catalog: commit: %w", err)
	}
	w.db.commits.Add(1)
	for _, c := range batch {
		if c.err == nil {
			w.db.calls.Add(1)
		}
	}
	return nil
}

// savepoints runs each call of a batch so that the failure of one leaves the others alone.
func (w *writer) savepoints(batch []*call) error {
	for _, c := range batch {
		if err := w.conn.do("SAVEPOINT a_call"); err != nil {
			return errLost
		}
		c.run(w.conn)
		if c.err != nil {
			if err := w.conn.do("ROLLBACK TO a_call"); err != nil {
				return errLost
			}
		}
		if err := w.conn.do("RELEASE a_call"); err != nil {
			return errLost
		}
	}
	return nil
}

// rollback leaves the connection without a transaction, or drops it: if that cannot be had, and after faults that a
// connection may hold on to. One that was opened while the disk was read-only stays read-only.
func (w *writer) rollback(cause error) {
	if errors.Is(cause, ErrReadOnly) || errors.Is(cause, ErrIO) || errors.Is(cause, ErrCorrupt) {
		w.dropConn()
		return
	}
	// After some faults SQLite has rolled back by itself, and ROLLBACK fails; BEGIN tells whether all is well.
	_ = w.conn.do("ROLLBACK")
	if w.conn.do("BEGIN") != nil || w.conn.do("ROLLBACK") != nil {
		w.dropConn()
	}
}

func (w *writer) dropConn() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
}
