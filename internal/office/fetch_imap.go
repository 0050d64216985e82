package office

import (
	"context"
	"net"
	"net/url"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/oauth"
	"github.com/postamt/postamt/pop3/pop3client"
)

// imapSource translates the server of a [[fetch]] that speaks IMAP.
func (b *builder) imapSource(f *config.Fetch, server config.Server) (collect.Source, error) {
	scheme := config.ToIMAP
	if server.TLS {
		scheme = config.ToIMAPS
	}
	opt := imapsource.Options{
		URL:       (&url.URL{Scheme: scheme, Host: server.Address(), Path: "/" + server.Folder}).String(),
		User:      server.User,
		Cleartext: f.TLS == "none",
		NoIdle:    !f.Idle,
	}
	var err error
	if opt.Credentials, err = b.imapCredentials(f, f.Password, f.OAuth, oauth.UseIMAP, server.Host, server.User); err != nil {
		return nil, err
	}
	c := &opt.Client
	c.Mechanisms, c.Timeout, c.MaxMessage = f.Auth, time.Duration(f.Timeout), int64(f.MaxMessage)
	if c.DialContext, err = b.dialer(f); err != nil {
		return nil, err
	}
	var trust pop3client.Options
	if err := b.trust(f, &trust); err != nil {
		return nil, err
	}
	c.RootCAs, c.TLSConfig, c.Pins, c.PinsOnly, c.VerifyServer = trust.RootCAs, trust.TLSConfig, trust.Pins, trust.PinsOnly, trust.VerifyServer
	return imapsource.New(opt)
}

// imapSink translates a destination on an IMAP server.
func (b *builder) imapSink(f *config.Fetch, d config.Destination) (collect.Sink, error) {
	host, _, err := net.SplitHostPort(d.Name)
	if err != nil {
		return nil, err
	}
	opt := sink.IMAPOptions{
		Server: imapclient.Options{Addr: d.Name, User: d.User, Security: imapclient.StartTLS},
		Folder: d.Words[0], Spool: b.folder,
	}
	if opt.Server.Pins, err = parsePins(f.IMAPPins); err != nil {
		return nil, err
	}
	opt.Server.PinsOnly = true
	if f.IMAPCA != "" {
		if opt.Server.RootCAs, err = authorities("imap_ca", f.IMAPCA); err != nil {
			return nil, err
		}
	}
	ip := net.ParseIP(host)
	switch {
	case d.Kind == config.ToIMAPS:
		opt.Server.Security = imapclient.TLS
	case f.IMAPCA != "" || len(f.IMAPPins) > 0:
	case host == "localhost" || ip != nil && ip.IsLoopback():
		opt.Server.Security, opt.Server.AllowCleartext = imapclient.Clear, true // nobody is on the way
	}
	if opt.Credentials, err = b.imapCredentials(f, f.IMAPPassword, f.IMAPOAuth, oauth.UseIMAPAppend, host, d.User); err != nil {
		return nil, err
	}
	return sink.NewIMAP(opt)
}

// imapCredentials returns where the password or the token for an IMAP server comes from.
func (b *builder) imapCredentials(f *config.Fetch, spec, tokens string, use oauth.Use, host, user string) (c imapclient.Credentials, err error) {
	if tokens != "" {
		c.Token, c.Refused, err = b.token(f, tokens, use)
	} else {
		c.Password, err = b.password(spec, host, user)
	}
	return c, err
}

// Wait waits for mail, if the source can.
func (s *checkedSource) Wait(ctx context.Context) error {
	w, ok := s.source.(collect.Waiter)
	if !ok || s.broken != nil {
		return collect.ErrNoWait
	}
	return w.Wait(ctx)
}
