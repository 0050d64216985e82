package office

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/lmtpd"
	"github.com/postamt/postamt/internal/tlsconf"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A generation is everything that is made of one configuration. A reload makes a new one, hands the ports over to it and
// lets the sessions of the old one come to their own end.
type generation struct {
	cfg   *config.Config
	log   *slog.Logger
	certs *tlsconf.Certificates
	desk  *desk
	pop3  *pop3server.Server
	lmtp  *lmtpd.Server

	leases  []*lease
	running sync.WaitGroup // Serve loops and the watch on certificates
	stop    context.CancelFunc
	fatal   chan<- error // hears of a port that failed
}

// newGeneration builds everything and starts nothing.
func newGeneration(ctx context.Context, cfg *config.Config, o *Office, former *generation) (*generation, error) {
	g := &generation{cfg: cfg, log: o.log, fatal: o.fatal}
	var err error
	if g.certs, err = openCertificates(cfg, o.log); err != nil {
		return nil, err
	}
	if g.desk, err = openDesk(ctx, cfg, o, former); err != nil {
		return nil, err
	}
	g.pop3 = pop3server.New(pop3Options(cfg, g, o))
	begin, end := o.connCounter(serviceLMTP)
	g.lmtp = lmtpd.New(lmtpd.Options{
		Store:          o.store(),
		Directory:      g.desk.accounts,
		Hostname:       cfg.Hostname,
		MaxMessage:     int64(cfg.LMTP.MaxMessage),
		MaxConnections: cfg.Limits.LMTPConnections,
		Trace:          cfg.LMTP.Trace,
		Logger:         o.log,
		Observe:        o.observeDelivery,
		ConnOpen:       begin,
		ConnClose:      end,
		ConnRefused:    func() { o.monitor.metrics.ConnRefused("lmtp_connections") },
	})
	return g, nil
}

func openCertificates(cfg *config.Config, log *slog.Logger) (*tlsconf.Certificates, error) {
	pairs := make([]tlsconf.Pair, len(cfg.TLS.Certificates))
	for i, c := range cfg.TLS.Certificates {
		pairs[i] = tlsconf.Pair{Cert: c.Cert, Key: c.Key}
	}
	return tlsconf.Open(tlsconf.Options{
		Pairs: pairs, Dir: filepath.Join(cfg.Data, tlsName), Hostname: cfg.Hostname, MinVersion: cfg.TLS.MinVersion, Log: log,
	})
}

// pop3Options translates a configuration for pop3server.
func pop3Options(cfg *config.Config, g *generation, o *Office) pop3server.Options {
	opt := pop3server.Options{
		Backend:          g.desk.backend,
		TLSConfig:        g.certs.Config(),
		Cleartext:        cleartext(cfg.POP3.Cleartext),
		RequireTLS:       cfg.POP3.RequireTLS,
		Hostname:         cfg.Hostname,
		APOP:             cfg.POP3.APOP,
		CRAMMD5:          cfg.POP3.CRAMMD5,
		EnableLast:       cfg.POP3.Last,
		IdleTimeout:      time.Duration(cfg.POP3.IdleTimeout),
		HandshakeTimeout: time.Duration(cfg.Limits.HandshakeTimeout),
		WriteTimeout:     time.Duration(cfg.Limits.WriteTimeout),
		MaxConns:         cfg.Limits.Connections,
		MaxConnsPerAddr:  cfg.Limits.ConnectionsPerAddress,
		MaxConnsPerUser:  cfg.Limits.ConnectionsPerAccount,
		MaxPreAuthOctets: int64(cfg.Limits.OctetsBeforeSignIn),
		MaxBadCommands:   cfg.Limits.BadCommands,
		Logger:           o.log,
		Hooks:            o.hooks(),
	}
	if cfg.POP3.Implementation {
		opt.Implementation = "Postamt " + o.opt.Version
	}
	return opt
}

func cleartext(s string) pop3server.Cleartext {
	switch s {
	case "always":
		return pop3server.CleartextAlways
	case "loopback":
		return pop3server.CleartextLoopback
	}
	return pop3server.CleartextNever
}

// serve starts to accept from ports.
func (g *generation) serve(ports []*port) {
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.running.Go(func() { g.certs.Run(ctx) })
	for _, p := range ports {
		l := p.lease()
		g.leases = append(g.leases, l)
		g.running.Go(func() {
			err := g.serveLease(p.service, l)
			if err == nil || l.isClosed() || errors.Is(err, pop3server.ErrServerClosed) || errors.Is(err, lmtpd.ErrClosed) {
				return
			}
			select {
			case g.fatal <- fmt.Errorf("%s: cannot accept on %s any more: %w", keyOf[p.service], l.Addr(), err):
			default: // one is enough to end the daemon
			}
		})
	}
}

func (g *generation) serveLease(service string, l net.Listener) error {
	switch service {
	case servicePOP3:
		return g.pop3.Serve(l)
	case servicePOP3S:
		return g.pop3.ServeTLS(l)
	default:
		return g.lmtp.Serve(l)
	}
}

// handOver stops accepting and leaves the sessions alone.
func (g *generation) handOver() {
	for _, l := range g.leases {
		_ = l.Close()
	}
	g.stop()
	g.running.Wait()
}

// wait returns when the last session has ended, or ctx has.
func (g *generation) wait(ctx context.Context) error {
	return errors.Join(g.pop3.Wait(ctx), g.lmtp.Wait(ctx))
}

// shutdown ends the sessions: what is in a command or a message finishes it, until ctx ends; then the rest is cut. Marks
// of sessions that did not come to QUIT are dropped.
func (g *generation) shutdown(ctx context.Context) {
	if g.stop != nil {
		g.handOver()
	}
	var both sync.WaitGroup
	both.Go(func() {
		if err := g.lmtp.Shutdown(ctx); err != nil {
			g.log.Warn("lmtp: sessions were cut because they did not end in time")
		}
	})
	both.Go(func() {
		if err := g.pop3.Shutdown(ctx); err != nil {
			g.log.Warn("pop3: sessions were cut because they did not end in time")
		}
		_ = g.pop3.Close()
	})
	both.Wait()
	g.desk.release()
}
