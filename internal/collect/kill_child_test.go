package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
)

// Environment of the child process that is killed.
const (
	envServer = "POSTAMT_KILL_SERVER" // address; makes the test binary a collector
	envKind   = "POSTAMT_KILL_KIND"
	envPeer   = "POSTAMT_KILL_PEER" // URL of what a kind needs besides
	envUser   = "POSTAMT_KILL_USER"
	envFolder = "POSTAMT_KILL_FOLDER"
	envStep   = "POSTAMT_KILL_STEP" // kill yourself before this step, from 1; 0: never
)

func TestMain(m *testing.M) {
	if os.Getenv(envServer) != "" {
		if err := collector(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// collector is what the child does: one run of the real thing.
func collector() (err error) {
	ctx := context.Background()
	step, err := strconv.Atoi(os.Getenv(envStep))
	if err != nil {
		return err
	}
	folder := os.Getenv(envFolder)
	db, err := catalog.Open(ctx, filepath.Join(folder, "catalog.db"), catalog.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	journal, err := collect.NewJournal(ctx, db)
	if err != nil {
		return err
	}
	store, closeStore, err := openStore(ctx, db, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	steps := 0
	opt := collect.Options{Journal: journal, LockFolder: filepath.Join(folder, "running")}
	collect.SetStep(&opt, func(string) {
		if steps++; steps == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	a, err := killAccount(os.Getenv(envKind), killOrder{
		server: os.Getenv(envServer), peer: os.Getenv(envPeer), user: os.Getenv(envUser), folder: folder, store: store, child: true,
	})
	if err != nil {
		return err
	}
	_, err = collect.Run(ctx, a, opt)
	fmt.Println(steps)
	return err
}

// openStore opens the store of Postamt, with its rows in the same catalog as the journal.
func openStore(ctx context.Context, db *catalog.DB, folder string) (mailstore.Store, func() error, error) {
	disk, err := body.Dir(filepath.Join(folder, "bodies"))
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.Open(ctx, db, body.NewDisk(disk, body.Options{}), filepath.Join(folder, "locks"), sqlstore.Options{})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// A list is a sink that appends a line with the Message-ID to a file, and forgets: like a program or another server.
type list struct{ path string }

func (l *list) Name() string { return "list" }
func (l *list) Safe() bool   { return false }
func (l *list) Close() error { return nil }

func (l *list) Begin(context.Context, collect.Letter) (collect.Delivery, error) {
	return &listing{list: l}, nil
}

type listing struct {
	list *list
	bytes.Buffer
}

func (d *listing) Abort() {}

func (d *listing) Commit(context.Context) (err error) {
	f, err := os.OpenFile(d.list.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := fmt.Fprintf(f, "%q\n", d.String()); err != nil {
		return err
	}
	return f.Sync()
}
