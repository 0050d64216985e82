package sqlstore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
)

// A store of version 1, whose bodies have other names, is taken over when it is empty, and else refused with what to do.
func TestStoreFromBefore(t *testing.T) {
	t.Parallel()
	steps, err := readMigrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, messages := range []int{0, 1} {
		dir := t.TempDir()
		cat, err := catalog.Open(t.Context(), filepath.Join(dir, "catalog.db"), catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer cat.Close()
		if err := cat.Migrate(t.Context(), "mail", steps[:1]); err != nil {
			t.Fatal(err)
		}
		if err := cat.Write(t.Context(), func(ctx context.Context, tx catalog.Tx) error {
			for seq := range messages {
				if _, err := tx.Exec(ctx, sqlInsertMessage, 1, seq, "uid", true, make([]byte, 16), 2, 2, true, make([]byte, 32), 0, "", ""); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		fsys, err := body.Dir(filepath.Join(dir, "bodies"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a refusal changes nothing
			s, err := Open(t.Context(), cat, body.NewDisk(fsys, body.Options{}), filepath.Join(dir, "locks"), Options{})
			if refused := errors.Is(err, errBefore); refused != (messages > 0) || !refused && err != nil {
				t.Errorf("with %d messages: %v", messages, err)
			}
			if err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
