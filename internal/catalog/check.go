package catalog

import (
	"context"
	"fmt"
)

// maxFindings bounds what Check returns.
const maxFindings = 100

// Check runs the database's own integrity check, which reads the whole catalog, and returns what it found, one sentence
// each, at most 100. Unlike other statements it is interrupted when ctx ends.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	var found []string
	err := db.Read(ctx, func(ctx context.Context, tx Tx) error {
		c := tx.(*conn)
		rows, err := c.sql.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFindings))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			if s != "ok" {
				found = append(found, s)
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return foreignKeys(ctx, c, &found)
	})
	return found, err
}

func foreignKeys(ctx context.Context, c *conn, found *[]string) error {
	rows, err := c.sql.QueryContext(ctx, "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 100")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() && len(*found) < maxFindings {
		var table, parent string
		var row any
		if err := rows.Scan(&table, &row, &parent); err != nil {
			return err
		}
		*found = append(*found, fmt.Sprintf("row %v of %s refers to a row of %s that is not there", row, table, parent))
	}
	return rows.Err()
}
