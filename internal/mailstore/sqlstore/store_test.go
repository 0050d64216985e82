package sqlstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
	"github.com/postamt/postamt/internal/mailstore/storetest"
)

// A whole is a Store that closes its catalog with itself.
type whole struct {
	*sqlstore.Store
	cat *catalog.DB
}

func (w whole) Close() error { return errors.Join(w.Store.Close(), w.cat.Close()) }

func open(dir string, cfg storetest.Config) (mailstore.Store, error) {
	cat, err := catalog.Open(context.Background(), filepath.Join(dir, "catalog.db"), catalog.Options{})
	if err != nil {
		return nil, err
	}
	bodies := body.NewDisk(cfg.Bodies, body.Options{MaxOctets: cfg.MaxOctets, Now: cfg.Now})
	s, err := sqlstore.Open(context.Background(), cat, bodies, filepath.Join(dir, "locks"),
		sqlstore.Options{UndeleteWindow: cfg.Window, Now: cfg.Now, OrphanSweep: -1})
	if err != nil {
		return nil, errors.Join(err, cat.Close())
	}
	return whole{s, cat}, nil
}

func TestStore(t *testing.T) { storetest.Run(t, open) }

func TestFaults(t *testing.T) { storetest.Faults(t, open) }

func TestCrash(t *testing.T) { storetest.Crash(t, open) }

func TestMain(m *testing.M) {
	storetest.Child(open)
	goleak.VerifyTestMain(m)
}
