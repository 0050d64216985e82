package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// A fake is a server that answers each line from a table, by its first word or as a whole; what is not there gets other.
// An answer that ends in "\x00" hangs up after it.
type fake struct {
	greeting string
	answers  map[string]string
	other    string
	tls      bool
	single   bool // hangs up on commands that come together

	mu    sync.Mutex
	lines []string
}

// serve starts it and returns its port. The certificate is for localhost.
func (f *fake) serve(t *testing.T, cert tls.Certificate) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				if f.tls {
					conn = tls.Server(conn, config)
				}
				f.talk(conn, config)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return port(t, l.Addr())
}

func (f *fake) talk(conn net.Conn, config *tls.Config) {
	if _, err := conn.Write([]byte(f.greeting)); err != nil {
		return
	}
	r := bufio.NewReader(conn)
	signedIn := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		f.mu.Lock()
		f.lines = append(f.lines, line)
		f.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		answer, ok := f.answers["in "+line]
		if !ok || !signedIn {
			answer, ok = f.answers[line]
		}
		if !ok {
			answer, ok = f.answers[verb]
		}
		if !ok {
			answer = f.other
		}
		answer, end := strings.CutSuffix(answer, "\x00")
		if _, err := conn.Write([]byte(answer)); err != nil || end {
			return
		}
		signedIn = signedIn || strings.HasPrefix(line, "AUTH PLAIN ")
		switch {
		case f.single && r.Buffered() > 0:
			return
		case verb == "STLS" && strings.HasPrefix(answer, "+OK"), strings.HasSuffix(line, "STARTTLS") && strings.Contains(answer, "OK"):
			conn = tls.Server(conn, config)
			r = bufio.NewReader(conn)
		case verb == "QUIT":
			return
		}
	}
}

// said returns what clients sent, one line each.
func (f *fake) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "\n") + "\n"
}

func port(t *testing.T, a net.Addr) int {
	t.Helper()
	_, text, err := net.SplitHostPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// postamt serves alice's mailbox on two ports, as our own server does.
func postamt(t *testing.T, cert tls.Certificate, opt pop3server.Options, messages ...string) (secure, open int) {
	t.Helper()
	backend := new(pop3mem.Backend)
	if err := backend.AddAccount("alice", "open sesame"); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := backend.Deliver("alice", []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	opt.Backend, opt.TLSConfig, opt.Logger = backend, &tls.Config{Certificates: []tls.Certificate{cert}}, slog.New(slog.DiscardHandler)
	srv := pop3server.New(opt)
	var wg sync.WaitGroup
	listen := func(serve func(net.Listener) error) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = serve(l) })
		return port(t, l.Addr())
	}
	secure, open = listen(srv.ServeTLS), listen(srv.Serve)
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
	return secure, open
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	return pop3test.NewCertificate(t, "localhost")
}

func run(t *testing.T, opt probe.Options) *probe.Report {
	t.Helper()
	if opt.Host == "" {
		opt.Host = "localhost"
	}
	r, err := probe.Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func secret(context.Context) (string, error) { return "open sesame", nil }

func ids(r *probe.Report) string {
	var all []string
	for _, q := range r.Quirks {
		if q.Text == "" {
			all = append(all, "NO TEXT FOR")
		}
		all = append(all, q.ID)
	}
	return strings.Join(all, " ")
}
