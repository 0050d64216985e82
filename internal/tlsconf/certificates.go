package tlsconf

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options says which certificates to serve.
type Options struct {
	// Pairs are the certificates, chosen by the name that the client asks for; the first serves the rest. Without any, a
	// self-signed one is made in Dir and kept.
	Pairs []Pair
	// Dir is the folder of the self-signed certificate. It is made if need be.
	Dir string
	// Hostname is the name in the self-signed certificate, besides localhost and the loopback addresses.
	Hostname string
	// MinVersion is the oldest version spoken, "1.2" (also meant by "") or "1.3".
	MinVersion string
	// Log gets warnings and news about certificates; nil for none.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Pair is a certificate chain and its private key in PEM files.
type Pair struct {
	Cert, Key string
}

// Info describes one certificate in use.
type Info struct {
	// File is where the certificate comes from.
	File string
	// Names are the DNS names and addresses it is good for.
	Names []string
	// NotAfter is when it expires.
	NotAfter time.Time
	// SelfSigned says that it is the one made by Open.
	SelfSigned bool
	// SHA256 is the digest of the certificate (DER), which mail programs show as its fingerprint.
	SHA256 [32]byte
}

// Certificates is the set in use. Its methods may be called concurrently.
type Certificates struct {
	opt     Options
	current atomic.Pointer[set]

	mu     sync.Mutex // held while loading
	pairs  []Pair
	stamps []stamp   // of the files when they were last read, whether or not they were any good
	warned time.Time // when an expiry was last warned of
	failed string    // what the last reload by Run failed with
}

const (
	// pollInterval is how often the files are looked at.
	pollInterval = time.Minute
	// expiryWarning is how long before its end a certificate is warned of, once a day.
	expiryWarning = 14 * 24 * time.Hour
)

// Open loads the certificates.
func Open(opt Options) (*Certificates, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	c := &Certificates{opt: opt}
	if err := c.Reload(opt.Pairs); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns the settings for a listener. It stays good through Reload. The caller may change its own copy.
func (c *Certificates) Config() *tls.Config {
	return harden(c.opt.MinVersion, c.certificate)
}

// Reload reads the files anew; pairs takes the place of Options.Pairs. On an error everything stays as it was.
func (c *Certificates) Reload(pairs []Pair) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.load(slices.Clone(pairs))
}

// load needs c.mu.
func (c *Certificates) load(pairs []Pair) error {
	var (
		loaded []*certificate
		stamps []stamp
		err    error
	)
	if len(pairs) == 0 {
		loaded, stamps, err = c.loadSelfSigned()
	} else {
		loaded, stamps, err = loadPairs(pairs)
	}
	if err != nil {
		if slices.Equal(pairs, c.pairs) {
			c.stamps = stamps // do not try the same files again and again
		}
		return err
	}
	c.pairs, c.stamps = pairs, stamps
	c.current.Store(newSet(loaded))
	for _, cert := range loaded {
		c.opt.Log.Debug("certificate loaded", "file", cert.info.File, "names", cert.info.Names, "expires", cert.info.NotAfter)
		if len(cert.info.Names) == 0 {
			c.opt.Log.Warn("certificate without names (subjectAltName), clients will refuse it", "file", cert.info.File)
		}
	}
	for _, p := range pairs {
		if fi, err := os.Stat(p.Key); err == nil && fi.Mode()&0o007 != 0 {
			c.opt.Log.Warn("private key is open to every user of this machine: chmod o-rwx", "file", p.Key)
		}
	}
	c.warned = time.Time{}
	c.warnOfExpiry()
	return nil
}

// Run looks at the files every minute until ctx ends: changed ones are loaded, the self-signed certificate is renewed
// before its end, and one about to expire is warned of daily. The caller waits for it.
func (c *Certificates) Run(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.poll()
		}
	}
}

func (c *Certificates) poll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := len(c.pairs) == 0 && renewalDue(c.NotAfter(), c.opt.Now())
	if !due && !changed(c.stamps) {
		c.warnOfExpiry()
		return
	}
	if err := c.load(c.pairs); err != nil {
		if err.Error() != c.failed {
			c.failed = err.Error()
			c.opt.Log.Warn("new certificates cannot be used, the old ones stay in use", "err", err)
		}
		return
	}
	c.failed = ""
	c.opt.Log.Info("certificates changed and loaded")
}

// warnOfExpiry needs c.mu.
func (c *Certificates) warnOfExpiry() {
	now := c.opt.Now()
	if now.Sub(c.warned) < 24*time.Hour {
		return
	}
	for _, info := range c.List() {
		switch {
		case now.After(info.NotAfter):
			c.opt.Log.Error("certificate has expired, clients will refuse it: renew it", "file", info.File, "expired", info.NotAfter)
		case info.NotAfter.Sub(now) < expiryWarning:
			c.opt.Log.Warn("certificate expires soon: renew it", "file", info.File, "expires", info.NotAfter)
		default:
			continue
		}
		c.warned = now
	}
}

// List describes the certificates in use, in the order of the configuration.
func (c *Certificates) List() []Info {
	s := c.current.Load()
	infos := make([]Info, len(s.all))
	for i, cert := range s.all {
		infos[i] = cert.info
		infos[i].Names = slices.Clone(cert.info.Names)
	}
	return infos
}

// NotAfter returns when the first of the certificates in use expires.
func (c *Certificates) NotAfter() time.Time {
	s := c.current.Load()
	first := s.all[0].info.NotAfter
	for _, cert := range s.all[1:] {
		if cert.info.NotAfter.Before(first) {
			first = cert.info.NotAfter
		}
	}
	return first
}

// certificate is tls.Config.GetCertificate.
func (c *Certificates) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load().choose(hello), nil
}
