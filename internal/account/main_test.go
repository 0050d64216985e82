package account

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is the least cost of a hash, so that tests are quick.
var cheap = Argon2{Memory: 64 << 10, Passes: 1}

func openCatalog(t testing.TB, path string) *catalog.DB {
	t.Helper()
	db, err := catalog.Open(context.Background(), path, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newCatalog(t testing.TB) *catalog.DB {
	t.Helper()
	return openCatalog(t, filepath.Join(t.TempDir(), "catalog.db"))
}

// newHasher returns a cheap Hasher that counts the hashes it computes.
func newHasher(t testing.TB, opt HasherOptions) (*Hasher, *atomic.Int64) {
	t.Helper()
	if opt.Argon2 == (Argon2{}) {
		opt.Argon2 = cheap
	}
	h, err := NewHasher(opt)
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	h.derive = func(password, salt []byte, cost argon2Cost, keyLen uint32) []byte {
		count.Add(1)
		return deriveArgon2(password, salt, cost, keyLen)
	}
	return h, &count
}

func newDirectory(t testing.TB, db *catalog.DB, opt SQLOptions) *SQLDirectory {
	t.Helper()
	if opt.Hasher == nil {
		opt.Hasher, _ = newHasher(t, HasherOptions{})
	}
	d, err := NewSQLDirectory(context.Background(), db, opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func addAccount(t testing.TB, d *SQLDirectory, name, password string) Account {
	t.Helper()
	a, err := d.Add(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		if err := d.SetPassword(context.Background(), name, password); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// A testClock is a clock that tests set.
type testClock struct{ nanos atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.nanos.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *testClock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func slogDiscard() *slog.Logger { return slog.New(slog.DiscardHandler) }
