package office

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/argv"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/pop3source"
	"github.com/postamt/postamt/internal/collect/secret"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3/pop3client"
)

// A builder makes the collector's accounts of a configuration.
type builder struct {
	folder   string // for remembered keys
	hostname string
	store    mailstore.Store
	accounts account.Directory
	prompt   func(ctx context.Context, question string) (string, error)
	oauth    func(name string) *config.OAuth // finds an [[oauth]], nil if there is none
}

// account translates a [[fetch]]. What cannot be as it is configured becomes an account whose runs fail and say why.
func (b *builder) account(f *config.Fetch) collect.Account {
	a := collect.Account{Name: f.Name, Host: strings.ToLower(f.Server().Host), Rules: rules(f), Interval: time.Duration(f.Interval)}
	source, err := b.source(f)
	var broken error
	if err != nil {
		broken = err
	}
	var ready []func(context.Context) error
	for _, d := range f.Destinations() {
		s, check, err := b.sink(f, d)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		a.Sinks = append(a.Sinks, s)
		if check != nil {
			ready = append(ready, check)
		}
	}
	looked, err := b.scan(f, &a.Rules)
	broken, ready = errors.Join(broken, err), append(ready, looked...)
	if program, err := argv.Split(f.Filter); err == nil && len(program) > 0 {
		ready = append(ready, filterReady(program))
	}
	if len(a.Sinks) == 0 {
		a.Sinks = []collect.Sink{noSink{}} // the source fails before it is asked for
	}
	a.Source = &checkedSource{source: source, broken: broken, ready: ready}
	return a
}

// rules translates the rules of a [[fetch]].
func rules(f *config.Fetch) collect.Rules {
	r := collect.Rules{
		Delete:      !f.Keep,
		DeleteAfter: time.Duration(f.DeleteAfter),
		KeepNewest:  f.KeepNewest,
		SkipAbove:   int64(f.SkipAbove),
		DeleteAbove: int64(f.DeleteAbove),
		MaxMessages: f.LimitMessages,
		MaxOctets:   int64(f.LimitOctets),
		Bandwidth:   int64(f.Bandwidth),
		Trace:       f.Trace,
		Dedupe:      f.Dedupe,
	}
	switch all, age := f.FirstRun(); {
	case all:
		r.Start = collect.StartAll
	case age == 0:
		r.Start = collect.StartNow
	default:
		r.Start, r.StartAge = collect.StartRecent, time.Duration(age)
	}
	if program, err := argv.Split(f.Filter); err == nil && len(program) > 0 {
		r.Filter = headerFilter(program)
	}
	return r
}

// source translates the server of a [[fetch]].
func (b *builder) source(f *config.Fetch) (collect.Source, error) {
	server := f.Server()
	if server.IMAP {
		return b.imapSource(f, server)
	}
	password, err := b.password(f.Password, server.Host, server.User)
	if err != nil {
		return nil, err
	}
	scheme := "pop3"
	if server.TLS {
		scheme = "pop3s"
	}
	opt := pop3source.Options{
		URL:       (&url.URL{Scheme: scheme, Host: server.Address()}).String(),
		User:      server.User,
		Password:  password,
		Cleartext: f.TLS == "none",
		SDPS:      f.Envelope == config.EnvelopeSDPS,
		APOP:      slices.Equal(f.Auth, []string{"APOP"}),
	}
	if !opt.APOP {
		opt.Client.Mechanisms = f.Auth
	}
	if f.OAuth != "" {
		if opt.Token, opt.TokenRefused, err = b.token(f, f.OAuth, fetchUse(f)); err != nil {
			return nil, err
		}
	}
	opt.Client.Timeout, opt.Client.MaxMessage = time.Duration(f.Timeout), int64(f.MaxMessage)
	if opt.Client.DialContext, err = b.dialer(f); err != nil {
		return nil, err
	}
	if err := b.trust(f, &opt.Client); err != nil {
		return nil, err
	}
	return pop3source.New(opt)
}

// password returns what finds a password. Without a source of one there is none, for client certificates.
func (b *builder) password(spec, host, user string) (func(context.Context) (string, error), error) {
	if spec == "" {
		return func(context.Context) (string, error) { return "", nil }, nil
	}
	s, err := secret.Parse(spec, secret.Options{Host: host, User: user, Prompt: b.prompt, Keyring: fromKeyring})
	if err != nil {
		return nil, err
	}
	return s.Get, nil
}

// trust says who vouches for the server.
func (b *builder) trust(f *config.Fetch, opt *pop3client.Options) error {
	var err error
	if opt.Pins, err = parsePins(f.Pins); err != nil {
		return err
	}
	opt.PinsOnly = f.Trust == "pins"
	if f.CA != "" {
		if opt.RootCAs, err = authorities("ca", f.CA); err != nil {
			return err
		}
	}
	if f.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
		if err != nil {
			return fmt.Errorf("the client certificate cannot be used: %w", err)
		}
		opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	if f.Trust == "first-use" {
		known := knownKey{filepath.Join(b.folder, f.Name+".key")}
		opt.VerifyServer = func(state tls.ConnectionState, _ error) error {
			want, ok, err := known.pin()
			if err != nil {
				return err
			}
			return pop3client.TrustOnFirstUse(
				func(string) (pop3client.Pin, bool) { return want, ok },
				func(_ string, pin pop3client.Pin) error { return known.remember(pin) },
			)(state, nil)
		}
	}
	return nil
}

// A checkedSource is opened only if everything else is there.
type checkedSource struct {
	source collect.Source
	broken error // why it can never be
	ready  []func(context.Context) error
}

func (s *checkedSource) Open(ctx context.Context) (collect.Session, error) {
	if s.broken != nil {
		return nil, &collect.PermanentError{Err: s.broken}
	}
	for _, check := range s.ready {
		if err := check(ctx); err != nil {
			return nil, err
		}
	}
	return s.source.Open(ctx)
}
