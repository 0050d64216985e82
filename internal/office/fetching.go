package office

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/postamt/postamt/internal/config"
)

// fetchAgain is how long to wait before the collector is opened again after it could not go on.
const fetchAgain = time.Minute

// collect fetches what the configuration in force says until ctx ends. A reload that changes something about it ends the
// runs that are under way, which costs nothing but time, and begins with the new settings.
func (o *Office) collect(ctx context.Context) {
	var known []string // accounts on the page for monitoring
	for ctx.Err() == nil {
		cfg := o.configuration()
		for _, name := range known {
			if !slices.ContainsFunc(cfg.Fetch, func(f config.Fetch) bool { return f.Name == name }) {
				o.monitor.metrics.FetchForget(name)
			}
		}
		known = known[:0]
		for _, f := range cfg.Fetch {
			known = append(known, f.Name)
		}
		if err := o.collectAs(ctx, cfg); err != nil {
			o.log.Error("the collector cannot go on, it begins again soon", "err", err)
			select {
			case <-ctx.Done():
			case <-o.refetch:
			case <-time.After(fetchAgain):
			}
		}
	}
}

// collectAs fetches what a configuration says until ctx ends or another one is in force that says something else.
func (o *Office) collectAs(ctx context.Context, cfg *config.Config) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	running := false
	if len(cfg.Fetch) > 0 {
		c, err := OpenCollector(ctx, cfg, o.vault, CollectorOptions{Log: o.log, store: o.store(), metrics: o.monitor.metrics})
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		defer func() {
			if err := c.Close(); err != nil {
				o.log.Warn("a destination of the collector could not be closed", "err", err)
			}
		}()
		o.log.Info("fetching", "accounts", c.Len())
		running = true
		go func() { ended <- c.Run(ctx) }()
	}
	for {
		select {
		case err := <-ended:
			return err
		case <-o.refetch:
			if sameFetching(cfg, o.configuration()) {
				continue
			}
			stop()
		case <-ctx.Done():
		}
		if running {
			return <-ended
		}
		return nil
	}
}

// configuration returns the one in force.
func (o *Office) configuration() *config.Config {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current.cfg
}

// sameFetching tells whether the collector has nothing to change.
func sameFetching(a, b *config.Config) bool {
	return a.Hostname == b.Hostname && a.Collector == b.Collector && reflect.DeepEqual(a.Fetch, b.Fetch)
}
