package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// A DB is an open catalog. Its methods may be called concurrently. Several processes on one machine may have the same
// catalog open; on a network file system they must not.
type DB struct {
	path string
	opt  Options

	writers *sql.DB // one connection for the writer, one for checkpoints
	readers *sql.DB
	w       *writer
	r       *readerPool

	commits, calls, checkpoints atomic.Uint64

	background sync.WaitGroup
	stop       chan struct{}
	closing    sync.Once
}

// Open opens the catalog in the file at path and creates it, readable by its owner only, if it is not there. Beside it
// lie path-wal and path-shm, which belong to it: they must be copied and moved together.
func Open(ctx context.Context, path string, opt Options) (*DB, error) {
	opt = opt.withDefaults()
	// O_EXCL: an existing catalog must not be opened and closed here, because that would take away the POSIX locks
	// which another DB of this process holds on it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		err = errors.Join(f.Close(), syncFolder(path))
	case errors.Is(err, fs.ErrExist):
		err = nil
	}
	if err != nil {
		return nil, &kindError{ErrIO, err}
	}
	db := &DB{path: path, opt: opt, stop: make(chan struct{})}
	db.writers, err = pool(path, busyPragma(opt.BusyTimeout), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(0)", "journal_size_limit(8388608)", "temp_store(MEMORY)", "cache_size(-16384)")
	if err != nil {
		return nil, err
	}
	db.readers, err = pool(path, busyPragma(opt.BusyTimeout), "query_only(1)", "temp_store(MEMORY)", readerCache)
	if err != nil {
		return nil, errors.Join(err, db.writers.Close())
	}
	first, err := open(ctx, db.writers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("catalog: open %s: %w", path, classify(err)), db.writers.Close(), db.readers.Close())
	}
	db.r = newReaderPool(db.readers, opt.Readers)
	db.w = newWriter(db, first)
	kick := make(chan struct{}, 1)
	db.w.kick = kick
	db.background.Go(db.w.run)
	db.background.Go(func() { db.checkpointer(kick) })
	return db, nil
}

// syncFolder makes the name of a new catalog durable.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close waits for the writes that are under way, refuses those that wait with ErrClosed, and releases everything.
// Functions given to Read must have returned.
func (db *DB) Close() error {
	var err error
	db.closing.Do(func() {
		close(db.stop)
		db.background.Wait()
		db.r.close()
		err = errors.Join(db.readers.Close(), db.writers.Close())
	})
	return err
}

// Stats counts what a DB did since Open, and what it has to do.
type Stats struct {
	// Commits is the number of durable commits, Calls that of the Write calls they carried.
	Commits, Calls uint64
	// Checkpoints is how often the log was copied into the catalog.
	Checkpoints uint64
	// Waiting is how many calls of Write wait for their turn now.
	Waiting int
}

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	return Stats{
		Commits: db.commits.Load(), Calls: db.calls.Load(), Checkpoints: db.checkpoints.Load(), Waiting: len(db.w.queue),
	}
}
