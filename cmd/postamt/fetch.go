package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
)

// exitFetchLater is the exit status of fetch when it may go well later, as EX_TEMPFAIL of sysexits.h.
const exitFetchLater = exTempFail

const fetchExitHelp = `Exit status: 0 all is well, with or without new mail; 1 somebody has to do something (wrong password or certificate,
a message set aside, a mistake in the configuration); 2 wrong command line; 75 not possible now, try again later (server
away, mailbox in use). With several accounts, 1 goes before 75.`

type fetchFlags struct {
	daemon, dryRun, asJSON, quiet bool
}

func newFetch(a *app) *cobra.Command {
	var f fetchFlags
	cmd := &cobra.Command{
		Use:   "fetch [NAME...]",
		Short: "Bring mail home from other POP3 and IMAP servers, exactly once",
		Long: `Fetch brings home the mail of the [[fetch]] accounts in the configuration, all of them or those named: each new message
goes to all the places that the account names, durably, and only then is it deleted on the other server, if the rules say
so. It can be interrupted at any point; the next run goes on, and nothing is lost or delivered twice. postamt serve does it
by itself for all accounts, postamt fetch --daemon does it without serving.

Five lines are enough:

  [[fetch]]
  name = "isp"
  url = "pop3s://bob@pop.example.net"
  password = "file:/etc/postamt/isp.password"
  to = ["store:bob"]          # or "maildir:~/Maildir"

` + fetchExitHelp,
		Example: `  postamt fetch --dry-run      say what would be done, and why
  postamt fetch isp            fetch one account
  postamt fetch status         show how all accounts are`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.fetch(cmd.Context(), args, f) },
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.Flags().BoolVar(&f.daemon, "daemon", false, "go on until SIGTERM, each account at its interval; SIGHUP reads the configuration anew")
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "print what would be fetched, deleted and left, and why; change nothing")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON: one event a line, or with --dry-run one list")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print only what goes wrong (for cron)")
	cmd.MarkFlagsMutuallyExclusive("daemon", "dry-run")
	cmd.MarkFlagsMutuallyExclusive("daemon", "json")
	cmd.AddCommand(newFetchStatus(a), newFetchRetry(a), newFetchForget(a), newFetchPassword(a), newFetchLogin(a), newFetchLogout(a), newFetchAdd(a), newFetchProbe(a), newFetchImportState(a), newFetchImportConfig(a))
	return cmd
}

func (a *app) fetch(ctx context.Context, names []string, f fetchFlags) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	switch {
	case f.daemon:
		return a.fetchDaemon(ctx, names)
	case f.dryRun:
		return a.withCollector(ctx, office.CollectorOptions{Names: names, Prompt: a.askPassword}, func(c *office.Collector) error {
			return a.fetchPlan(c.Plan(ctx), f)
		})
	}
	show := newFetchShow(a, f)
	opt := office.CollectorOptions{Names: names, Prompt: show.ask, Progress: show.event, Done: show.done}
	return a.withCollector(ctx, opt, func(c *office.Collector) error {
		results := c.Once(ctx)
		show.close(results)
		return fetchOutcome(ctx, results)
	})
}

// withCollector runs fn with the accounts of the configuration.
func (a *app) withCollector(ctx context.Context, opt office.CollectorOptions, fn func(*office.Collector) error) (err error) {
	v, loaded, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	if err := wantFetch(&loaded.Config, loaded.Path); err != nil {
		return err
	}
	c, err := office.OpenCollector(ctx, &loaded.Config, v, opt)
	if unknown, ok := errors.AsType[*office.UnknownFetchError](err); ok {
		return usage("%w", unknown)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return fn(c)
}

// wantFetch says what to do where there is nothing to fetch.
func wantFetch(cfg *config.Config, path string) error {
	if len(cfg.Fetch) > 0 {
		return nil
	}
	if path == "" {
		path = "postamt.toml, which is not there yet"
	}
	return usage("there is nothing to fetch: postamt fetch add EMAIL puts a [[fetch]] into %s; see postamt fetch --help", path)
}

// askPassword asks on the terminal.
func (a *app) askPassword(_ context.Context, question string) (string, error) {
	password, err := a.notes.Password(question)
	if errors.Is(err, terminal.ErrNoTerminal) {
		return "", errors.New("there is no terminal to ask on, name another source of the password")
	}
	return password, err
}

// fetchOutcome ends the program with the status of the worst result. What went wrong was printed already.
func fetchOutcome(ctx context.Context, results []office.FetchResult) error {
	status := exitOK
	for i := range results {
		switch results[i].Class() {
		case collect.OK:
		case collect.Permanent:
			status = exitFailed
		default:
			if status == exitOK {
				status = exitFetchLater
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("fetching was stopped: %w", context.Cause(ctx))
	case status == exitOK:
		return nil
	}
	return &exitError{status, errShown}
}
