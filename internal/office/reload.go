package office

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/postamt/postamt/internal/config"
)

// Reload reads the configuration and the certificates anew. Everything new is built before anything old is let go; on an
// error all stays as it was. No session is dropped: those that are open go on under the old settings. It returns what an
// operator should know besides.
func (o *Office) Reload(ctx context.Context) (notes []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing.Err() != nil {
		return nil, errors.New("the daemon is closing")
	}
	o.notify(o.opt.Notify.Reloading())
	defer func() {
		if err != nil {
			o.log.Error("configuration not reloaded, the old one stays in force", "err", err)
		}
		o.notify(o.opt.Notify.Ready("serving"))
	}()
	if o.opt.Load == nil {
		return nil, errors.New("there is no configuration to reload")
	}
	loaded, err := o.opt.Load()
	if err != nil {
		return nil, err
	}
	cfg, former := &loaded.Config, o.current
	for _, w := range loaded.Warnings {
		notes = append(notes, "warning: "+w.String())
	}
	needRestart, err := unchangeable(former.cfg, cfg)
	if err != nil {
		return nil, err
	}
	notes = append(notes, needRestart...)
	next, err := newGeneration(ctx, cfg, o, former)
	if err != nil {
		return nil, err
	}
	ports, _, err := openPorts(ctx, cfg, o.ports)
	if err != nil {
		next.desk.release()
		return nil, err
	}
	if len(ports) == 0 {
		next.desk.release()
		return nil, errors.New("there is no address to listen on, set pop3.listen, pop3.listen_tls or lmtp.listen")
	}
	if o.serving {
		former.handOver()
		o.old.Go(func() { o.retire(former) })
		next.serve(ports)
	} else {
		former.desk.release()
	}
	closePorts(without(o.ports, ports))
	o.ports, o.current = ports, next
	select {
	case o.refetch <- struct{}{}:
	default: // it will look anyway
	}
	if o.opt.SetLog != nil {
		o.opt.SetLog(cfg.Log)
	}
	o.log.Info("configuration reloaded")
	return notes, nil
}

// retire waits for the last session of a generation. When the office closes, it ends them.
func (o *Office) retire(g *generation) {
	if g.wait(o.closing) == nil {
		o.log.Debug("last session under a former configuration has ended")
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.opt.StopTimeout)
	defer cancel()
	g.shutdown(ctx)
}

// unchangeable refuses what a running daemon cannot change, and names what waits for the next start.
func unchangeable(old, cfg *config.Config) (notes []string, err error) {
	if same, err := sameFolder(old.Data, cfg.Data); err != nil || !same {
		return nil, fmt.Errorf("data: the folder cannot change from %s to %s while the daemon runs, restart it", old.Data, cfg.Data)
	}
	if old.Store.ListingCache != cfg.Store.ListingCache || old.Store.UndeleteWindow != cfg.Store.UndeleteWindow {
		notes = append(notes, "store.undelete_window and store.listing_cache change at the next start")
	}
	if old.Log.Format != cfg.Log.Format {
		notes = append(notes, "log.format changes at the next start")
	}
	if old.Metrics != cfg.Metrics {
		notes = append(notes, "metrics.listen changes at the next start")
	}
	return notes, nil
}

func sameFolder(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	fa, errA := os.Stat(a)
	fb, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(fa, fb), errors.Join(errA, errB)
}

// without returns those of ports that are not in kept.
func without(ports, kept []*port) []*port {
	keep := make(map[*port]bool, len(kept))
	for _, p := range kept {
		keep[p] = true
	}
	var rest []*port
	for _, p := range ports {
		if !keep[p] {
			rest = append(rest, p)
		}
	}
	return rest
}
