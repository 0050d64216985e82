package collect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/body"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/mailstore/sqlstore"
)

// Environment of the child process that is killed.
const (
	envServer = "POSTAMT_KILL_SERVER" // address; makes the test binary a collector
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
	a, err := killAccount(os.Getenv(envServer), os.Getenv(envUser), folder, store)
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

// dropOf is the maildrop of a user: users are called u1, u2, ...
func dropOf(user string) (mailstore.DropID, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(user, "u"))
	return mailstore.DropID(n), err
}

// killAccount is an account with two safe sinks, a maildrop here and a Maildir, and one that does not know letters again.
func killAccount(address, user, folder string, store mailstore.Store) (collect.Account, error) {
	drop, err := dropOf(user)
	if err != nil {
		return collect.Account{}, err
	}
	source, err := pop3source.New(pop3source.Options{
		URL: "pop3://" + user + "@" + address, Cleartext: true,
		Password: func(context.Context) (string, error) { return password, nil },
	})
	if err != nil {
		return collect.Account{}, err
	}
	maildir, err := sink.NewMaildir(filepath.Join(folder, user), sink.MaildirOptions{CRLF: true})
	if err != nil {
		return collect.Account{}, err
	}
	return collect.Account{
		Name: user, Source: source, Rules: collect.Rules{Delete: true},
		Sinks: []collect.Sink{&list{path: filepath.Join(folder, user+".list")}, maildir, sink.NewStore(store, mailstore.Recipient{Drop: drop}, user)},
	}, nil
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
