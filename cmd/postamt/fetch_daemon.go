package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/systemd"
	"github.com/postamt/postamt/internal/telemetry"
)

// fetchDaemon fetches until it is told to end. SIGHUP reads the configuration anew; with a mistake in it, the old one
// stays in force.
func (a *app) fetchDaemon(ctx context.Context, names []string) (err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	v, loaded, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	log := telemetry.NewLog(a.errs, telemetry.LogOptions{Format: loaded.Log.Format, Level: loaded.Log.Level, Journal: isJournal(a.errs)})
	notify := systemd.NewNotifier(os.Getenv)
	defer func() { _ = notify.Stopping() }()
	if err := wantFetch(&loaded.Config, loaded.Path); err != nil {
		return err
	}
	for ctx.Err() == nil {
		c, err := office.OpenCollector(ctx, &loaded.Config, v, office.CollectorOptions{Names: names, Log: log.Logger})
		if unknown, ok := errors.AsType[*office.UnknownFetchError](err); ok {
			return usage("%w", unknown)
		}
		if err != nil {
			return err
		}
		log.Info("fetching", "accounts", c.Len(), "config", loaded.Path)
		_ = notify.Ready("fetching")
		next, err := fetchUntil(ctx, c, hangup, func() *config.Loaded {
			next, err := a.load()
			if err != nil {
				log.Error("configuration not reloaded, the old one stays in force", "err", err)
				return nil
			}
			return next
		})
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
		if next != nil {
			_ = notify.Reloading()
			log.SetLevel(next.Log.Level)
			loaded = next
		}
	}
	log.Info("closed")
	return nil
}

// fetchUntil fetches until ctx ends or there is another configuration, which it returns.
func fetchUntil(ctx context.Context, c *office.Collector, hangup <-chan os.Signal, load func() *config.Loaded) (*config.Loaded, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return nil, err
		case <-hangup:
			if next := load(); next != nil {
				stop()
				return next, <-ended
			}
		}
	}
}
