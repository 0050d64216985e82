package office

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/control"
	"github.com/postamt/postamt/internal/systemd"
)

// Options are what an Office has besides its configuration. The zero value works.
type Options struct {
	// Log gets everything there is to say. Default: nothing is logged.
	Log *slog.Logger
	// Load reads the configuration anew for Reload. Default: there is nothing to reload.
	Load func() (*config.Loaded, error)
	// SetLog is told of the log settings at each reload.
	SetLog func(config.Log)
	// Sockets are those that systemd opened. The Office closes them.
	Sockets []systemd.Socket
	// Notify is the service manager; nil for none.
	Notify *systemd.Notifier
	// Watchdog is how often the service manager wants to hear that all is well; 0 for never.
	Watchdog time.Duration
	// Version and Revision say which program this is: in metrics, and the version in CAPA if the configuration wants it.
	Version, Revision string
	// FirstSweep is how long after the start the store is swept for the first time. Default 1 minute: those who wait for
	// their mail come first.
	FirstSweep time.Duration
	// StopTimeout is how long sessions may take to end when the Office closes. Default 20 seconds.
	StopTimeout time.Duration
}

// An Office is the daemon: the ports, what serves them, and the vault behind it. Open opens it, Run runs it.
type Office struct {
	opt   Options
	log   *slog.Logger
	lock  *os.File
	vault *Vault
	desk  net.Listener // the control socket
	fatal chan error
	// refetch says that the collector is to look at the configuration again.
	refetch chan struct{}

	monitor monitor
	memory  memory

	mu      sync.Mutex // held by Reload
	serving bool       // Run has begun
	ports   []*port
	current *generation
	old     sync.WaitGroup // generations whose sessions have not ended yet
	closing context.Context
	close   context.CancelFunc
}

// Open opens the data folder and the ports. Nothing is served before Run, which must be called.
func Open(ctx context.Context, cfg *config.Config, opt Options) (_ *Office, err error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.StopTimeout == 0 {
		opt.StopTimeout = 20 * time.Second
	}
	if opt.FirstSweep == 0 {
		opt.FirstSweep = time.Minute
	}
	o := &Office{opt: opt, log: opt.Log, fatal: make(chan error, 1), refetch: make(chan struct{}, 1), memory: newMemory(debug.FreeOSMemory)}
	o.closing, o.close = context.WithCancel(context.Background())
	inherited, err := inherit(opt.Sockets)
	if err != nil {
		return nil, err
	}
	o.ports = inherited
	defer func() {
		if err != nil {
			if o.current != nil {
				o.current.desk.release()
			}
			o.release()
		}
	}()
	if err := makeData(cfg.Data); err != nil {
		return nil, err
	}
	if o.lock, err = lockData(cfg.Data); err != nil {
		return nil, err
	}
	if o.vault, err = OpenVault(ctx, cfg); err != nil {
		return nil, err
	}
	if err := o.openMonitor(ctx, cfg); err != nil {
		return nil, err
	}
	if o.current, err = newGeneration(ctx, cfg, o, nil); err != nil {
		return nil, err
	}
	if o.ports, _, err = openPorts(ctx, cfg, inherited); err != nil {
		return nil, err
	}
	if len(o.ports) == 0 {
		return nil, errors.New("there is no address to listen on, set pop3.listen, pop3.listen_tls or lmtp.listen")
	}
	if o.desk, err = control.Listen(ControlSocket(cfg)); err != nil {
		return nil, fmt.Errorf("control socket in the data folder: %w", err)
	}
	return o, nil
}

// Addresses returns where a service ("pop3", "pop3s", "lmtp") is to be found.
func (o *Office) Addresses(service string) []net.Addr {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []net.Addr
	for _, p := range o.ports {
		if p.service == service {
			all = append(all, p.l.Addr())
		}
	}
	return all
}

// Vault returns the data folder, for those in the same process. It is closed when Run returns.
func (o *Office) Vault() *Vault { return o.vault }

// Run serves until ctx ends, stops cleanly, closes everything and returns nil; or the reason why it could not go on.
func (o *Office) Run(ctx context.Context) error {
	defer o.release()
	var chores sync.WaitGroup
	choring, stopChores := context.WithCancel(context.WithoutCancel(ctx))
	defer chores.Wait()
	defer stopChores()

	o.mu.Lock()
	o.serving = true
	o.current.serve(o.ports)
	for _, p := range o.ports {
		o.log.Info("open", "service", p.service, "addr", p.l.Addr().String())
	}
	o.mu.Unlock()
	chores.Go(func() {
		if err := control.Serve(choring, o.desk, o.answer); err != nil {
			o.log.Error("control socket does not work any more, use SIGHUP to reload", "err", err)
		}
	})
	chores.Go(func() { o.sweep(choring) })
	chores.Go(func() { o.memory.run(choring) })
	chores.Go(func() { o.collect(choring) })
	chores.Go(func() { o.opt.Notify.RunWatchdog(choring, o.opt.Watchdog, o.alive) })
	o.notify(o.opt.Notify.Ready("serving"))
	o.greet(ctx)

	var err error
	select {
	case <-ctx.Done():
	case err = <-o.fatal:
	}
	o.notify(o.opt.Notify.Stopping())
	o.log.Info("closing")
	stopChores()
	chores.Wait() // a reload under way comes to its end first

	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.opt.StopTimeout)
	defer cancel()
	o.close()
	o.mu.Lock()
	g := o.current
	o.mu.Unlock()
	g.shutdown(stop)
	o.old.Wait()
	o.log.Info("closed")
	return err
}

// greet tells somebody who starts for the first time what to do next.
func (o *Office) greet(ctx context.Context) {
	for range o.vault.Accounts.All(ctx) {
		return
	}
	o.log.Info("there are no accounts yet, postamt account add NAME makes one")
}

// answer handles what commands ask through the control socket.
func (o *Office) answer(ctx context.Context, req control.Request) control.Reply {
	if req.Op != "reload" {
		return control.Reply{Error: fmt.Sprintf("the daemon does not know how to %.20q, it is of another version", req.Op)}
	}
	notes, err := o.Reload(ctx)
	if err != nil {
		return control.Reply{Error: err.Error()}
	}
	return control.Reply{Notes: notes}
}

// alive is asked by the watchdog.
func (o *Office) alive() bool {
	ctx, cancel := context.WithTimeout(o.closing, 10*time.Second)
	defer cancel()
	return o.readCatalog(ctx) == nil
}

func (o *Office) notify(err error) {
	if err != nil {
		o.log.Warn("the service manager cannot be told", "err", err)
	}
}

// release closes what Open opened.
func (o *Office) release() {
	o.close()
	if o.desk != nil {
		_ = o.desk.Close()
	}
	closePorts(o.ports)
	o.monitor.close()
	if o.vault != nil {
		if err := o.vault.Close(); err != nil {
			o.log.Error("the data folder could not be closed", "err", err)
		}
	}
	if o.lock != nil {
		unlockData(o.lock)
	}
}
