package catalog

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Read runs fn in a transaction that only reads and sees one consistent snapshot, taken at its first statement. It
// waits for no writer. If all readers are taken it waits for one until ctx ends. fn must not call Read of the same DB.
func (db *DB) Read(ctx context.Context, fn func(context.Context, Tx) error) (err error) {
	return db.read(ctx, func(c *conn) (err, end error) {
		if err := c.do("BEGIN"); err != nil {
			return err, err
		}
		err = classify(fn(ctx, c))
		return err, c.do("COMMIT") // what was read is right even if that fails
	})
}

// ReadOne is Read for an fn that makes one query: that sees one snapshot by itself, and a transaction around it would
// double the cost of reading a row or two. Of several queries each would see a snapshot of its own.
func (db *DB) ReadOne(ctx context.Context, fn func(context.Context, Tx) error) (err error) {
	return db.read(ctx, func(c *conn) (err, end error) { return classify(fn(ctx, c)), nil })
}

// read lends fn a connection, which is used again if fn has left it in good order: without an error in end.
func (db *DB) read(ctx context.Context, fn func(c *conn) (err, end error)) (err error) {
	select {
	case <-db.stop:
		return ErrClosed
	default:
	}
	c, err := db.r.get(ctx)
	if err != nil {
		return classify(err)
	}
	sound := false
	defer func() { db.r.put(c, sound) }() // a panic of fn drops the connection
	err, end := fn(c)
	sound = end == nil && !errors.Is(err, ErrIO) && !errors.Is(err, ErrCorrupt)
	return err
}

// A readerPool keeps connections for reading.
type readerPool struct {
	db   *sql.DB
	free chan struct{} // one token for each reader that may still run
	mu   sync.Mutex
	idle []*conn // last in, first out: the warm one is used
}

func newReaderPool(db *sql.DB, n int) *readerPool {
	p := &readerPool{db: db, free: make(chan struct{}, n)}
	for range n {
		p.free <- struct{}{}
	}
	return p
}

func (p *readerPool) get(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := open(context.WithoutCancel(ctx), p.db)
	if err != nil {
		p.free <- struct{}{}
		return nil, err
	}
	return c, nil
}

func (p *readerPool) put(c *conn, sound bool) {
	if sound {
		p.mu.Lock()
		p.idle = append(p.idle, c)
		p.mu.Unlock()
	} else {
		c.close()
	}
	p.free <- struct{}{}
}

func (p *readerPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}
