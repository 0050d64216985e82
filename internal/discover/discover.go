package discover

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Timeout bounds Find.
const Timeout = time.Minute

// A Resolver answers questions about DNS. A *net.Resolver is one.
type Resolver interface {
	// LookupSRV returns records ordered by priority and weight.
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
}

// Options are how to look. The zero value asks nobody but the address's own domain and DNS.
type Options struct {
	// Resolver answers about SRV and MX. Default: net.DefaultResolver.
	Resolver Resolver
	// DialContext connects to web servers and guesses. Default: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// RootCAs vouch for web servers and guesses. Default: the system's.
	RootCAs *x509.CertPool
	// Proxy finds the proxy for a web request. Default: none.
	Proxy func(*http.Request) (*url.URL, error)
	// ISPDB is the address of a database of providers, like MozillaISPDB. It learns the domain, not the address. Default:
	// none is asked.
	ISPDB string
	// PlainHTTP asks the domain by HTTP, too. What comes back is not believed where it counts.
	PlainHTTP bool
	// NoMX does not ask whoever runs the domain's mail.
	NoMX bool
	// NoGuess does not try names.
	NoGuess bool
}

// A finder is one search.
type finder struct {
	opt     Options
	address Address
	web     *http.Client
	steps   []Step
}

// Find looks for the server of an address. It fails only when ctx ends; what went wrong on the way is in the steps.
func Find(ctx context.Context, a Address, opt Options) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if opt.Resolver == nil {
		opt.Resolver = net.DefaultResolver
	}
	if opt.DialContext == nil {
		opt.DialContext = new(net.Dialer).DialContext
	}
	transport := &http.Transport{
		Proxy: opt.Proxy, DialContext: opt.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opt.RootCAs},
		TLSHandshakeTimeout: RequestTimeout, ResponseHeaderTimeout: RequestTimeout, MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives: true,
	}
	f := &finder{opt: opt, address: a, web: &http.Client{Transport: transport, CheckRedirect: redirect, Timeout: RequestTimeout}}
	found := f.find(ctx)
	if err := context.Cause(ctx); err != nil && len(found) == 0 {
		return &Result{Steps: f.steps}, err
	}
	return &Result{Candidates: found, Steps: f.steps}, nil
}

func (f *finder) find(ctx context.Context) []Candidate {
	var imap []Candidate
	for _, ask := range []func(context.Context) []Candidate{f.askBuiltIn, f.askProvider, f.askDatabase, f.records, f.askMX, f.askGuesses} {
		if ctx.Err() != nil {
			break
		}
		found := ask(ctx)
		if has(found, POP3) {
			return found
		}
		if len(imap) == 0 {
			imap = found
		}
	}
	return imap
}

func (f *finder) askBuiltIn(context.Context) []Candidate {
	found := builtIn(f.address)
	if len(found) > 0 {
		f.steps = append(f.steps, Step{Origin: FromKnown, Where: "built into this program", Found: len(found)})
	}
	return found
}

func (f *finder) askProvider(ctx context.Context) []Candidate {
	return f.documents(ctx, providerSources(f.address, f.opt.PlainHTTP), true)
}

func (f *finder) askDatabase(ctx context.Context) []Candidate {
	if f.opt.ISPDB == "" {
		return nil
	}
	return f.documents(ctx, []source{f.database(f.address.Domain)}, false)
}

func (f *finder) database(domain string) source {
	return source{FromISPDB, strings.TrimSuffix(f.opt.ISPDB, "/") + "/" + url.PathEscape(domain)}
}

func (f *finder) askMX(ctx context.Context) []Candidate {
	if f.opt.NoMX {
		return nil
	}
	mx, domains := f.mailDomains(ctx)
	if mx == "" {
		return nil
	}
	if found := byMX(f.address, mx); len(found) > 0 {
		f.steps[len(f.steps)-1] = Step{Origin: FromMX, Where: "MX of " + f.address.Domain, Found: len(found)}
		return found
	}
	var sources []source
	for _, d := range domains {
		sources = append(sources, source{FromMX, fmt.Sprintf("https"+ofHost, d)})
		if f.opt.ISPDB != "" {
			sources = append(sources, f.database(d))
		}
	}
	return f.documents(ctx, sources, false)
}

func (f *finder) askGuesses(ctx context.Context) []Candidate {
	if f.opt.NoGuess {
		return nil
	}
	return f.guess(ctx)
}
