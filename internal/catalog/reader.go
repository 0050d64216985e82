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
	if err := c.do("BEGIN"); err != nil {
		return err
	}
	err = classify(fn(ctx, c))
	end := c.do("COMMIT")
	sound = end == nil && !errors.Is(err, ErrIO) && !errors.Is(err, ErrCorrupt)
	return err // what was read is right even if the end of the transaction failed
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
