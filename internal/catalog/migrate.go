package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Migrate brings the schema of a component up to the last of steps, all in one transaction. A schema that is newer than
// the last step is refused with a *SchemaError. Several processes may call it at the same time.
func (db *DB) Migrate(ctx context.Context, component string, steps []Migration) error {
	for i, m := range steps {
		if m.Number != i+1 {
			return fmt.Errorf("catalog: migration %d of %s has number %d", i+1, component, m.Number)
		}
	}
	have := 0
	err := db.Read(ctx, func(ctx context.Context, tx Tx) (err error) {
		have, err = schemaVersion(ctx, tx, component)
		return err
	})
	if err != nil {
		return fmt.Errorf("catalog: read schema of %s: %w", component, err)
	}
	switch {
	case have > len(steps):
		return &SchemaError{Component: component, Have: have, Know: len(steps)}
	case have == len(steps):
		return nil
	}
	return db.Write(ctx, func(ctx context.Context, tx Tx) error { return migrate(ctx, tx, component, steps) })
}

func migrate(ctx context.Context, tx Tx, component string, steps []Migration) error {
	if _, err := tx.Exec(ctx, sqlCreateSchema); err != nil {
		return err
	}
	have, err := schemaVersion(ctx, tx, component) // anew: another process may have been quicker
	if err != nil {
		return err
	}
	if have > len(steps) {
		return &SchemaError{Component: component, Have: have, Know: len(steps)}
	}
	for _, m := range steps[have:] {
		if err := tx.(*conn).script(m.SQL); err != nil {
			return fmt.Errorf("catalog: migrate %s to %d: %w", component, m.Number, err)
		}
	}
	_, err = tx.Exec(ctx, sqlSetSchema, component, len(steps))
	return err
}

// schemaVersion returns 0 for a component that was never migrated.
func schemaVersion(ctx context.Context, tx Tx, component string) (int, error) {
	var tables, n int
	if err := tx.QueryRow(ctx, sqlHasSchema).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	err := tx.QueryRow(ctx, sqlGetSchema, component).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

const (
	sqlCreateSchema = `CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version BIGINT NOT NULL)`
	sqlHasSchema    = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'`
	sqlGetSchema    = `SELECT version FROM schema_versions WHERE component = ?`
	sqlSetSchema    = `INSERT INTO schema_versions (component, version) VALUES (?, ?)
		ON CONFLICT (component) DO UPDATE SET version = excluded.version`
)
