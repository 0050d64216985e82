package catalog

import (
	"context"
	"database/sql"
)

// A Tx runs statements inside one transaction. Statements are prepared once per connection and kept, so a query should
// be one of a fixed set of texts. A Tx is used by one goroutine and not after the function it was given to returns; so
// are the Rows it hands out, which must be closed before that.
//
// A statement looks at ctx before it starts and is not interrupted once it runs: statements are short, and a function
// that reads many rows looks at ctx itself.
type Tx interface {
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// A Migration is one numbered, forward-only step of a component's schema.
type Migration struct {
	// Number counts from 1 without gaps.
	Number int
	// SQL is one or more statements.
	SQL string
}
