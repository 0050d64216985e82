package office

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/telemetry"
)

// fetchName is the folder in the data folder for the locks and the remembered keys of the collector's accounts.
const fetchName = "fetch"

// CollectorOptions are what a Collector has besides its configuration. The zero value works.
type CollectorOptions struct {
	// Log gets everything there is to say. Default: nothing is logged.
	Log *slog.Logger
	// Names are the accounts to take, by their names in the configuration. Default: all.
	Names []string
	// Prompt asks a person for a password. Default: there is nobody to ask.
	Prompt func(ctx context.Context, question string) (string, error)
	// Progress, if set, hears what happens, from several goroutines.
	Progress func(collect.Event)
	// Done, if set, hears the result of each run, from several goroutines.
	Done func(FetchResult)

	store   mailstore.Store    // to deliver to; default: the Vault's
	metrics *telemetry.Metrics // nil for none
}

// A FetchResult is how a run of one account ended.
type FetchResult struct {
	collect.Report
	// Err is why the run failed, nil if it did not.
	Err error
}

// Class says what the result asks for. Messages that are set aside need a person, those that failed another run.
func (r *FetchResult) Class() collect.Class {
	switch class := collect.Classify(r.Err); {
	case class != collect.OK:
		return class
	case len(r.SetAside) > 0:
		return collect.Permanent
	case r.Failed > 0:
		return collect.Temporary
	}
	return collect.OK
}

// A FetchPlan is what a run of one account would do.
type FetchPlan struct {
	Account   string
	Decisions []collect.Decision
	Err       error
}

// An UnknownFetchError names an account that is not in the configuration.
type UnknownFetchError struct {
	Name  string
	Known []string
}

// Error says which names there are.
func (e *UnknownFetchError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no [[fetch]] with the name %q: the configuration has none at all, see docs/fetch.md", e.Name)
	}
	return fmt.Sprintf("there is no [[fetch]] with the name %q, there are: %s", e.Name, strings.Join(e.Known[:min(len(e.Known), 20)], ", "))
}

// A Collector brings home the mail of the [[fetch]] accounts of a configuration.
type Collector struct {
	opt      CollectorOptions
	schedule collect.Schedule
	notifier notifier
	servers  map[string]config.Server // by account
	client   *http.Client

	mu     sync.Mutex
	poison map[string]int         // by account: messages set aside
	untold map[string]FetchNotice // by account: what could not be passed on, or only by one of two ways
}

// OpenCollector makes ready what is to be fetched. Nothing is connected yet. An account that cannot be fetched as it is
// configured does not keep the others from it: its runs fail, and say why. The Vault stays open until the Collector is
// closed.
func OpenCollector(ctx context.Context, cfg *config.Config, v *Vault, opt CollectorOptions) (*Collector, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.store == nil {
		opt.store = v.Store
	}
	wanted, err := chosen(cfg.Fetch, opt.Names)
	if err != nil {
		return nil, err
	}
	journal, err := collect.NewJournal(ctx, v.Catalog)
	if err != nil {
		return nil, err
	}
	c := &Collector{
		opt: opt, servers: make(map[string]config.Server), poison: make(map[string]int), untold: make(map[string]FetchNotice),
		client: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
	}
	c.notifier = notifier{
		store: opt.store, accounts: v.Accounts, hostname: cfg.Hostname,
		to: cfg.Collector.AlarmTo, webhook: cfg.Collector.AlarmWebhook, client: c.client,
	}
	b := builder{folder: filepath.Join(cfg.Data, fetchName), hostname: cfg.Hostname, store: opt.store, accounts: v.Accounts, prompt: once(opt.Prompt), oauth: cfg.FindOAuth}
	for i := range wanted {
		f := &wanted[i]
		c.servers[f.Name] = f.Server()
		c.schedule.Accounts = append(c.schedule.Accounts, b.account(f))
		opt.metrics.FetchAccount(f.Name)
		status, err := journal.Status(ctx, f.Name)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		opt.metrics.FetchAlarm(f.Name, !status.Alarmed.IsZero())
	}
	c.schedule.Parallel, c.schedule.PerHost = cfg.Collector.Parallel, cfg.Collector.PerHost
	c.schedule.AlarmAfter = time.Duration(cfg.Collector.AlarmAfter)
	c.schedule.Alarm, c.schedule.Done = c.alarm, c.done
	c.schedule.Options = collect.Options{
		Journal: journal, LockFolder: filepath.Join(b.folder, "locks"), SpoolFolder: b.folder, Hostname: cfg.Hostname, Progress: c.progress,
	}
	return c, nil
}

// chosen returns the accounts of those names, in the order of the configuration.
func chosen(all []config.Fetch, names []string) ([]config.Fetch, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	for _, f := range all {
		known = append(known, f.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, &UnknownFetchError{Name: name, Known: known}
		}
	}
	var some []config.Fetch
	for _, f := range all {
		if slices.Contains(names, f.Name) {
			some = append(some, f)
		}
	}
	return some, nil
}

// Len returns how many accounts there are.
func (c *Collector) Len() int { return len(c.schedule.Accounts) }

// Once fetches each account once and returns the results in the order of the configuration.
func (c *Collector) Once(ctx context.Context) []FetchResult {
	var mu sync.Mutex
	results := make(map[string]FetchResult)
	s := c.schedule
	s.Done = func(a collect.Account, r collect.Report, err error) {
		c.done(a, r, err)
		mu.Lock()
		defer mu.Unlock()
		results[a.Name] = FetchResult{r, err}
	}
	err := s.Once(ctx)
	all := make([]FetchResult, 0, len(s.Accounts))
	for _, a := range s.Accounts {
		r, ran := results[a.Name]
		if !ran { // it did not get its turn
			r = FetchResult{collect.Report{Account: a.Name}, cmp.Or(context.Cause(ctx), err)}
		}
		all = append(all, r)
	}
	return all
}

// Run fetches each account at its interval until ctx ends, and returns nil then.
func (c *Collector) Run(ctx context.Context) error { return c.schedule.Run(ctx) }

// Plan says what Once would do, in the order of the configuration. Headers are fetched where rules ask for them; nothing
// is delivered, deleted or remembered.
func (c *Collector) Plan(ctx context.Context) []FetchPlan {
	plans := make([]FetchPlan, len(c.schedule.Accounts))
	places := make(chan struct{}, max(c.schedule.Parallel, 1))
	options := c.schedule.Options
	options.Progress = nil
	var all sync.WaitGroup
	for i, a := range c.schedule.Accounts {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			decisions, err := collect.Plan(ctx, a, options)
			plans[i] = FetchPlan{Account: a.Name, Decisions: decisions, Err: err}
		})
	}
	all.Wait()
	return plans
}

// Close closes the destinations. Nothing may be running any more.
func (c *Collector) Close() error {
	var errs []error
	for _, a := range c.schedule.Accounts {
		for _, s := range slices.Concat(a.Sinks, a.Rules.Quarantine) {
			errs = append(errs, s.Close())
		}
	}
	c.client.CloseIdleConnections()
	return errors.Join(errs...)
}

func (c *Collector) progress(e collect.Event) {
	switch log := c.opt.Log.With("account", e.Account); e.Kind {
	case collect.EventFetched:
		log.Debug("fetched", "uid", e.UID, "octets", e.Size)
	case collect.EventFailed:
		log.Warn("a message could not be fetched, it stays on the server", "uid", e.UID, "err", e.Err)
	case collect.EventWarning:
		log.Warn("fetch", "warning", e.Err)
	}
	if c.opt.Progress != nil {
		c.opt.Progress(e)
	}
}

func (c *Collector) done(a collect.Account, r collect.Report, err error) {
	result := FetchResult{r, err}
	c.mu.Lock()
	if err == nil {
		c.poison[a.Name] = len(r.SetAside)
	}
	run := telemetry.FetchRun{
		Account: a.Name, Result: telemetry.FetchTemporary, Ended: r.Ended, Fetched: r.Fetched, Octets: r.Octets, Deleted: r.Deleted,
		Poison: c.poison[a.Name],
	}
	c.mu.Unlock()
	switch collect.Classify(err) {
	case collect.OK:
		run.Result = telemetry.FetchOK
	case collect.Permanent:
		run.Result = telemetry.FetchPermanent
	}
	c.opt.metrics.FetchRun(run)
	// The log comes after the metrics: who reads of a run in it finds the run counted.
	log := c.opt.Log.With("account", a.Name)
	switch class := collect.Classify(err); {
	case class == collect.Cancelled:
		log.Info("fetching was stopped", "messages", r.Fetched)
	case class == collect.Busy:
		log.Info("the mailbox is in use, trying again later", "err", err)
	case err != nil:
		log.Warn("mail cannot be fetched", "class", class.String(), "err", err, "messages", r.Fetched)
	case r.Fetched > 0 || r.Deleted > 0 || r.Failed > 0:
		log.Info("fetched", "messages", r.Fetched, "octets", r.Octets, "deleted", r.Deleted, "failed", r.Failed, "set_aside", len(r.SetAside))
	default:
		log.Debug("nothing to fetch")
	}
	if c.opt.Done != nil {
		c.opt.Done(result)
	}
}

// alarm passes an alarm on. That it could not be passed on is logged, and tried again after the next run.
func (c *Collector) alarm(ctx context.Context, a collect.Alarm) error {
	c.opt.metrics.FetchAlarm(a.Account, !a.Cleared)
	server, now := c.servers[a.Account], time.Now()
	notice := FetchNotice{
		Account: a.Account, Server: server.Host, User: server.User, State: FetchFailed, Class: a.Class.String(), Since: a.Since, Time: now,
		Key: a.Account + "." + strconv.FormatInt(now.UnixNano(), 36),
	}
	log := c.opt.Log.With("account", a.Account)
	if a.Cleared {
		notice.State, notice.Class = FetchRecovered, ""
		log.Info("works again")
	} else {
		notice.Error = a.Err.Error()
		log.Error("somebody has to do something: mail cannot be fetched any more", "class", notice.Class, "err", a.Err)
	}
	c.mu.Lock()
	if again, ok := c.untold[a.Account]; ok && again.State == notice.State {
		notice = again // with its key, so that it is not in the maildrop twice
	}
	c.mu.Unlock()
	err := c.notifier.notify(ctx, notice)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.untold, a.Account)
	if err != nil {
		c.untold[a.Account] = notice
		log.Error("an alarm could not be passed on, the next try comes after the next run", "err", err)
	}
	return err
}

// once makes a prompt that asks each question once, one after the other, and remembers the answers.
func once(prompt func(context.Context, string) (string, error)) func(context.Context, string) (string, error) {
	if prompt == nil {
		return nil
	}
	var mu sync.Mutex
	answers := make(map[string]string)
	return func(ctx context.Context, question string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if answer, ok := answers[question]; ok {
			return answer, nil
		}
		answer, err := prompt(ctx, question)
		if err == nil {
			answers[question] = answer
		}
		return answer, err
	}
}
