package office

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/lmtpd"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/internal/telemetry"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
)

// A monitor is the page for monitoring and what it shows.
type monitor struct {
	metrics *telemetry.Metrics // nil if nobody asks for them
	server  *telemetry.Server
	l       net.Listener
	serving sync.WaitGroup
}

// openMonitor opens the page, if the configuration wants one.
func (o *Office) openMonitor(ctx context.Context, cfg *config.Config) error {
	if cfg.Metrics.Listen == "" {
		return nil
	}
	m := telemetry.NewMetrics(telemetry.Build{Version: o.opt.Version, Revision: o.opt.Revision, GoVersion: runtime.Version()})
	m.CertificateExpiry(func() time.Time {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.current == nil {
			return time.Time{}
		}
		return o.current.certs.NotAfter()
	})
	health := telemetry.NewHealth(o.log, nil)
	health.Register("catalog", o.readCatalog)
	health.Register("disk", func(context.Context) error { return probeDisk(cfg.Data) })
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, family("tcp", cfg.Metrics.Listen), cfg.Metrics.Listen)
	if err != nil {
		return listenError("metrics.listen", cfg.Metrics.Listen, err)
	}
	o.monitor = monitor{metrics: m, server: telemetry.NewServer(m, health, o.log), l: l}
	o.monitor.serving.Go(func() {
		if err := o.monitor.server.Serve(l); err != nil {
			o.log.Error("the page for monitoring does not work any more", "err", err)
		}
	})
	o.log.Info("open", "service", "metrics", "addr", l.Addr().String())
	return nil
}

func (m *monitor) close() {
	if m.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = m.server.Shutdown(ctx)
	m.serving.Wait()
}

// readCatalog asks the catalog for an answer.
func (o *Office) readCatalog(ctx context.Context) error {
	return o.vault.Catalog.Read(ctx, func(ctx context.Context, tx catalog.Tx) error {
		var one int
		return tx.QueryRow(ctx, "SELECT 1").Scan(&one)
	})
}

// probeDisk writes a block into the data folder, makes it durable and removes it.
func probeDisk(data string) error {
	f, err := os.OpenFile(filepath.Join(data, "health.tmp"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// hooks count what happens at the POP3 counter.
func (o *Office) hooks() pop3server.Hooks {
	m := o.monitor.metrics
	if m == nil {
		return pop3server.Hooks{}
	}
	service := func(c *pop3server.Conn) string {
		if c.ImplicitTLS() {
			return servicePOP3S
		}
		return servicePOP3
	}
	return pop3server.Hooks{
		ConnOpen: func(c *pop3server.Conn) { m.ConnOpened(service(c)) },
		ConnClose: func(c *pop3server.Conn, s pop3server.Summary) {
			m.ConnClosed(service(c))
			m.SessionEnded(telemetry.Session{
				Reason: string(s.Reason), Duration: s.Duration, OctetsIn: s.OctetsIn, OctetsOut: s.OctetsOut,
				Retrieved: s.Retr, Topped: s.Top, Deleted: s.Removed,
			})
		},
		ConnRefused: m.ConnRefused,
		Command: func(_ *pop3server.Conn, verb string, d time.Duration, err error) {
			m.Command(verb, d, err != nil)
		},
		AuthDone: func(_ *pop3server.Conn, mech, _ string, err error) { m.SignIn(mech, signInResult(err)) },
	}
}

// signInResult names how a sign-in ended.
func signInResult(err error) string {
	_, throttled := errors.AsType[*account.ThrottledError](err)
	switch {
	case err == nil:
		return telemetry.SignInOK
	case throttled:
		return telemetry.SignInThrottled
	case errors.Is(err, account.ErrDisabled):
		return telemetry.SignInDisabled
	case errors.Is(err, pop3server.ErrInUse), pop3.IsInUse(err):
		return telemetry.SignInBusy
	case errors.Is(err, pop3server.ErrCredentials), pop3.IsAuth(err):
		return telemetry.SignInWrong
	}
	return telemetry.SignInFault
}

// observeDelivery counts a transaction of LMTP.
func (o *Office) observeDelivery(t lmtpd.Transaction) {
	m := o.monitor.metrics
	result := telemetry.DeliveryStored
	switch t.Result / 100 {
	case 2:
		m.Delivered(t.Octets)
	case 4:
		result = telemetry.DeliveryTemporary
	default:
		result = telemetry.DeliveryPermanent
	}
	for range t.Recipients {
		m.Delivery(result)
	}
}

// A measuredStore times what the store makes durable.
type measuredStore struct {
	mailstore.Store
	metrics *telemetry.Metrics
}

func (s measuredStore) Begin(ctx context.Context, env mailstore.Envelope) (mailstore.Delivery, error) {
	d, err := s.Store.Begin(ctx, env)
	if err != nil {
		return nil, err
	}
	return measuredDelivery{d, s.metrics}, nil
}

func (s measuredStore) Open(ctx context.Context, id mailstore.DropID, view mailstore.View) (mailstore.Drop, error) {
	d, err := s.Store.Open(ctx, id, view)
	if err != nil {
		return nil, err
	}
	return measuredDrop{d, s.metrics}, nil
}

type measuredDelivery struct {
	mailstore.Delivery
	metrics *telemetry.Metrics
}

func (d measuredDelivery) Commit(ctx context.Context, to []mailstore.Recipient) ([]mailstore.Receipt, error) {
	start := time.Now()
	receipts, err := d.Delivery.Commit(ctx, to)
	if err == nil {
		d.metrics.Commit(telemetry.CommitDelivery, time.Since(start))
	}
	return receipts, err
}

type measuredDrop struct {
	mailstore.Drop
	metrics *telemetry.Metrics
}

func (d measuredDrop) Update(ctx context.Context, u mailstore.Update) error {
	start := time.Now()
	err := d.Drop.Update(ctx, u)
	if err == nil && len(u.Deleted) > 0 {
		d.metrics.Commit(telemetry.CommitUpdate, time.Since(start))
	}
	return err
}

// store returns the store as the counters are to see it: bare, if nobody measures.
func (o *Office) store() mailstore.Store {
	if o.monitor.metrics == nil {
		return o.vault.Store
	}
	return measuredStore{o.vault.Store, o.monitor.metrics}
}

// connCounter returns functions for connections of a service that begin and end.
func (o *Office) connCounter(service string) (begin, end func()) {
	m := o.monitor.metrics
	return func() { m.ConnOpened(service) }, func() { m.ConnClosed(service) }
}
