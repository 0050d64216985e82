package catalog

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"
)

// What a reader keeps of the catalog is bounded, however much it has read. The catalog is opened anew before, and no other
// test runs beside this one, because a reader may take over pages that others of the process keep.
func TestReaderCacheIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 2000
	err = db.Write(t.Context(), func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT)")
		for i := 0; i < rows && err == nil; i++ {
			_, err = tx.Exec(ctx, "INSERT INTO texts VALUES (?, ?)", i, strings.Repeat("x", 1000))
		}
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(t.Context(), path, Options{Readers: 1}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var octets int
	err = db.Read(t.Context(), func(ctx context.Context, tx Tx) error {
		return tx.QueryRow(ctx, "SELECT sum(length(text)) FROM texts").Scan(&octets)
	})
	if err != nil || octets != 1000*rows {
		t.Fatal(octets, err)
	}
	err = db.r.idle[0].sql.Raw(func(c any) error {
		used, _, err := c.(sqlite.DBStatus).Status(sqlite.DBStatusCacheUsed, false)
		if err == nil && (used < 16<<10 || used > 320<<10) {
			t.Errorf("%d octets of pages are kept after reading %d", used, octets)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
