package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
)

// maxStatements bounds the prepared statements kept per connection. The packages above use a fixed set of texts, far
// fewer than this; one that composes texts must not make the process grow.
const maxStatements = 256

// readerCache is 256 KiB of pages for each reader, which take up twice that: the driver's allocator rounds a page with its
// header up to 8 KiB. It is enough for the upper levels of the trees. The rest is the kernel's to cache: to have a leaf from
// there costs less than a microsecond, and the readers' copies of it were a third of the memory of 1,000 idle sessions.
const readerCache = "cache_size(-256)"

// pool opens connections of one kind; it is the only place that knows the driver.
func pool(path string, pragmas ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": pragmas, "_error_rc": {"1"}, "_dqs": {"0"}}
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + q.Encode())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(0) // connections live in conn values, not in the pool of database/sql
	return db, nil
}

func busyPragma(d time.Duration) string {
	return "busy_timeout(" + strconv.FormatInt(d.Milliseconds(), 10) + ")"
}

// A conn is one connection with its prepared statements. It is the Tx that functions are given, and used by one
// goroutine at a time.
type conn struct {
	sql   *sql.Conn
	stmts map[string]*sql.Stmt
}

func open(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, stmts: make(map[string]*sql.Stmt)}, nil
}

// close ends the connection for good, whatever state it is in.
func (c *conn) close() {
	for _, s := range c.stmts {
		_ = s.Close() // the connection goes next and takes everything with it
	}
	_ = c.sql.Raw(func(any) error { return driver.ErrBadConn }) // makes database/sql throw it away
	_ = c.sql.Close()
}

// prepare returns the kept statement for query. Its context is not the caller's: database/sql and the driver start a
// goroutine per statement for a context that can end, which costs more than a point query, and an interrupted write
// would undo the whole transaction, other callers' part included.
func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.sql.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, classify(err)
	}
	if len(c.stmts) >= maxStatements {
		for _, old := range c.stmts {
			_ = old.Close() // one that is being read from is closed by its Rows
		}
		clear(c.stmts)
	}
	c.stmts[query] = s
	return s, nil
}

// Exec is of Tx.
func (c *conn) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	res, err := s.ExecContext(context.Background(), args...)
	return res, classify(err)
}

// Query is of Tx.
func (c *conn) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	return rows, classify(err)
}

// QueryRow is of Tx.
func (c *conn) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := c.prepare(query)
	if err != nil || ctx.Err() != nil {
		return c.sql.QueryRowContext(ctx, query, args...) // fails in the same way, and carries the error to Scan
	}
	return s.QueryRowContext(context.Background(), args...)
}

// do runs one of the statements that steer transactions, whatever the state of anybody's context.
func (c *conn) do(query string) error {
	_, err := c.Exec(context.Background(), query)
	return err
}

// script runs several statements that are not kept.
func (c *conn) script(query string) error {
	_, err := c.sql.ExecContext(context.Background(), query)
	return classify(err)
}
