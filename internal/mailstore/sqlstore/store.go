package sqlstore

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// Options change how a Store works. The zero value is right for a server.
type Options struct {
	// UndeleteWindow is how long deleted messages can be brought back. Zero means 14 days; negative means until the next
	// Sweep.
	UndeleteWindow time.Duration
	// ListingCache is the memory in octets for packed listings of maildrops that were open lately, about 40 octets a
	// message. Zero means 64 MiB; negative means none.
	ListingCache int64
	// OrphanAge is how old a body must be before Sweep and Check take it for one that no message will refer to. A delivery
	// that takes more than half as long is refused. Zero means 24 h.
	OrphanAge time.Duration
	// OrphanSweep is how often at most Sweep looks for such bodies, which reads every folder. Zero means every 24 h;
	// negative means at each Sweep.
	OrphanSweep time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Random is where unique-ids come from; nil means crypto/rand.
	Random io.Reader
}

const (
	defaultUndeleteWindow = 14 * 24 * time.Hour
	defaultListingCache   = 64 << 20
	defaultOrphanAge      = 24 * time.Hour
)

// A Store is the [mailstore.Store] of Postamt. Its methods may be called concurrently; several Stores, also of several
// processes, may work on the same catalog, bodies and locks.
type Store struct {
	cat    *catalog.DB
	bodies body.Store
	locks  *lockTable
	cache  *listingCache
	opt    Options

	sweeping   sync.Mutex
	orphanWalk time.Time // when Sweep last looked for orphans
}

var _ mailstore.Store = (*Store)(nil)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the store whose catalog and bodies are given; they stay the caller's, to be closed after the Store. The
// folder locks, which is made if it is not there, holds the few files through which processes on one machine lock
// maildrops.
func Open(ctx context.Context, cat *catalog.DB, bodies body.Store, locks string, opt Options) (*Store, error) {
	if opt.UndeleteWindow == 0 {
		opt.UndeleteWindow = defaultUndeleteWindow
	}
	if opt.ListingCache == 0 {
		opt.ListingCache = defaultListingCache
	}
	if opt.OrphanAge <= 0 {
		opt.OrphanAge = defaultOrphanAge
	}
	if opt.OrphanSweep == 0 {
		opt.OrphanSweep = defaultOrphanAge
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	steps, err := readMigrations()
	if err != nil {
		return nil, err
	}
	err = cat.Migrate(ctx, "mail", steps)
	if errors.Is(err, catalog.ErrConstraint) {
		return nil, errBefore
	}
	if err != nil {
		return nil, fault("open the store", err)
	}
	lt, err := openLocks(locks)
	if err != nil {
		return nil, fault("open the locks", err)
	}
	return &Store{cat: cat, bodies: bodies, locks: lt, cache: newListingCache(opt.ListingCache), opt: opt}, nil
}

// readMigrations reads the steps in the order of their names, 0001 first.
func readMigrations() ([]catalog.Migration, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	steps := make([]catalog.Migration, len(files))
	for i, f := range files {
		text, err := migrations.ReadFile(path.Join("migrations", f.Name()))
		if err != nil {
			return nil, err
		}
		var number int
		if _, err := fmt.Sscanf(f.Name(), "%04d_", &number); err != nil {
			return nil, fmt.Errorf("sqlstore: name of migration %s: %w", f.Name(), err)
		}
		steps[i] = catalog.Migration{Number: number, SQL: string(text)}
	}
	return steps, nil
}

// Close releases the locks and the memory of the Store. Maildrops that are open lose their locks and must not be used.
func (s *Store) Close() error {
	s.cache.clear()
	return s.locks.close()
}

func (s *Store) now() int64 { return s.opt.Now().UnixNano() }

// Usage returns how much a maildrop holds.
func (s *Store) Usage(ctx context.Context, id mailstore.DropID) (mailstore.Usage, error) {
	if err := checkID(id); err != nil {
		return mailstore.Usage{}, err
	}
	var d dropRow
	err := s.cat.Read(ctx, func(ctx context.Context, tx catalog.Tx) (err error) {
		d, err = readDrop(ctx, tx, int64(id))
		return err
	})
	if err != nil {
		return mailstore.Usage{}, fault("read the usage of a maildrop", err)
	}
	return mailstore.Usage{
		Messages: int(d.messages), Octets: d.octets,
		DeletedMessages: int(d.deletedMessages), DeletedOctets: d.deletedOctets,
	}, nil
}
