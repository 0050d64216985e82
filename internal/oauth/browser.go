package oauth

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxVisits bounds the requests that are answered while the browser is waited for: there may be others on this machine.
const maxVisits = 100

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// LoginBrowser signs in with a browser on this machine (RFC 8252 §7.3): it listens on a port of the loopback address, show
// gets the address to be opened, and the browser comes back with the answer. That one request is served, with a page that
// says how it went; then nothing listens any more. Requests that are not the answer are turned away.
func (s *Source) LoginBrowser(ctx context.Context, show func(address string) error) error {
	u, err := url.Parse(s.opt.Provider.Redirect)
	if err != nil || u.Scheme != "http" || !onThisMachine(u.Hostname()) {
		return &personError{errors.New("this provider does not send a browser back to this machine: sign in with --paste")}
	}
	ip := "127.0.0.1"
	if addr := net.ParseIP(u.Hostname()); addr != nil {
		ip = addr.String()
	}
	port := u.Port()
	if port == "" {
		port = "0"
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(ip, port))
	if err != nil {
		return fmt.Errorf("nothing can listen for the browser: %w", err)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	u.Host = net.JoinHostPort(u.Hostname(), port)
	l, err := s.newSignIn(ctx, u.String())
	if err != nil {
		_ = listener.Close()
		return err
	}
	v := &visit{l: l, ctx: ctx, path: u.Path, result: make(chan error, 1)}
	server := &http.Server{
		Handler: v, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * requestTimeout,
		MaxHeaderBytes: 32 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	defer func() {
		// The page is still on its way.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
		<-served
	}()
	if err := show(l.address()); err != nil {
		return err
	}
	select {
	case err := <-v.result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A visit is the waiting for the browser.
type visit struct {
	l      *signIn
	ctx    context.Context // of LoginBrowser, which waits
	path   string
	result chan error
	visits atomic.Int32
	over   atomic.Bool
}

func (v *visit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer") // the code is in the address
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	header.Set("Connection", "close")
	query := r.URL.Query()
	switch {
	case v.visits.Add(1) > maxVisits:
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	case r.Method != http.MethodGet || strings.TrimSuffix(r.URL.Path, "/") != strings.TrimSuffix(v.path, "/"):
		http.NotFound(w, r)
		return
	case query.Get("state") != v.l.state || !v.over.CompareAndSwap(false, true):
		w.WriteHeader(http.StatusBadRequest)
		v.show(w, errState)
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, requestTimeout)
	defer cancel()
	err := v.l.finish(ctx, query)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
	v.show(w, err)
	v.result <- err
}

func (v *visit) show(w http.ResponseWriter, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	_ = page.Execute(w, struct{ Account, Error string }{v.l.s.opt.Account, text}) // a browser that has gone does not matter
}
