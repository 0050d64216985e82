package catalog

import (
	"context"
	"database/sql"
)

// A Tx runs statements inside one transaction. Statements are prepared once per connection and kept.
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
