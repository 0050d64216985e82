package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// openTest opens a store of its own in a temporary folder.
func openTest(tb testing.TB, opt Options) *Store {
	tb.Helper()
	return openTestAt(tb, tb.TempDir(), opt)
}

func openTestAt(tb testing.TB, dir string, opt Options) *Store {
	tb.Helper()
	cat, err := catalog.Open(context.Background(), filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	fsys, err := body.Dir(filepath.Join(dir, "bodies"))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Open(context.Background(), cat, body.NewDisk(fsys, body.Options{}), filepath.Join(dir, "locks"), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		if err := cat.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// fill puts n messages into a maildrop by the way of a delivery, but without bodies: what it tests is the catalog.
func fill(tb testing.TB, s *Store, drop int64, n int) {
	tb.Helper()
	const batch = 1000
	for from := 0; from < n; from += batch {
		err := s.cat.Write(context.Background(), func(ctx context.Context, tx catalog.Tx) error {
			for i := from; i < min(from+batch, n); i++ {
				var id body.ID
				binary.BigEndian.PutUint64(id[:], uint64(time.Now().UnixMilli())<<16)
				if _, err := rand.Read(id[6:]); err != nil {
					return err
				}
				var u rawUID
				if _, err := rand.Read(u[:]); err != nil {
					return err
				}
				r := row{drop: drop, address: "someone@example.org", uid: u.String(), received: 1}
				facts := body.Facts{Octets: int64(1000 + i), Header: 300, Wire: true}
				if err := r.insert(ctx, tx, mailstore.Envelope{Sender: "sender@example.com"}, id, &facts); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func mustOpen(tb testing.TB, s *Store, id mailstore.DropID) mailstore.Drop {
	tb.Helper()
	d, err := s.Open(context.Background(), id, mailstore.View{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func mustClose(tb testing.TB, d mailstore.Drop) {
	tb.Helper()
	if err := d.Close(); err != nil {
		tb.Error(err)
	}
}
