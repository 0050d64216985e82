package discover

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// A world is the network that a search sees: a name server, a web server and POP3 servers, all on loopback. Names that it
// does not have cannot be connected to.
type world struct {
	roots *x509.CertPool
	cert  tls.Certificate

	mu      sync.Mutex
	listen  map[string]string // "host:port" to an address on loopback
	dialed  []string
	records map[string][]dnsmessage.Resource
	dns     string
}

// newWorld makes one whose certificate is good for the hosts.
func newWorld(t *testing.T, hosts ...string) *world {
	t.Helper()
	w := &world{listen: map[string]string{}, records: map[string][]dnsmessage.Resource{}}
	w.cert, w.roots = pop3test.NewCertificate(t, hosts...)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.dns = conn.LocalAddr().String()
	var wg sync.WaitGroup
	wg.Go(func() { w.serveDNS(conn) })
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return w
}

// serveDNS answers until the connection is closed.
func (w *world) serveDNS(conn net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var q dnsmessage.Message
		if q.Unpack(buf[:n]) != nil || len(q.Questions) != 1 {
			continue
		}
		question := q.Questions[0]
		w.mu.Lock()
		all := w.records[strings.ToLower(question.Name.String())]
		w.mu.Unlock()
		reply := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true, RecursionAvailable: true},
			Questions: q.Questions,
		}
		if len(all) == 0 {
			reply.RCode = dnsmessage.RCodeNameError
		}
		for _, r := range all {
			if r.Header.Type == question.Type {
				reply.Answers = append(reply.Answers, r)
			}
		}
		if packed, err := reply.Pack(); err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

func (w *world) record(name string, body dnsmessage.ResourceBody, kind dnsmessage.Type) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := dnsmessage.MustNewName(name + ".")
	h := dnsmessage.ResourceHeader{Name: n, Type: kind, Class: dnsmessage.ClassINET, TTL: 60}
	w.records[n.String()] = append(w.records[n.String()], dnsmessage.Resource{Header: h, Body: body})
}

// srv adds a record; target is absolute.
func (w *world) srv(service, domain string, priority, weight, port uint16, target string) {
	w.record("_"+service+"._tcp."+domain, &dnsmessage.SRVResource{Priority: priority, Weight: weight, Port: port, Target: dnsmessage.MustNewName(target)}, dnsmessage.TypeSRV)
}

func (w *world) mx(domain string, pref uint16, target string) {
	w.record(domain, &dnsmessage.MXResource{Pref: pref, MX: dnsmessage.MustNewName(target)}, dnsmessage.TypeMX)
}

func (w *world) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", w.dns)
	}}
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	to := w.listen[addr]
	w.dialed = append(w.dialed, addr)
	w.mu.Unlock()
	if to == "" {
		return nil, fmt.Errorf("no route to %s", addr)
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

func (w *world) connect(addr, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listen[addr] = to
}

// serve makes a web server, for https on port 443 and http on port 80 of the hosts.
func (w *world) serve(t *testing.T, h http.HandlerFunc, hosts ...string) {
	t.Helper()
	secure := httptest.NewUnstartedServer(h)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{w.cert}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	open := httptest.NewServer(h)
	t.Cleanup(open.Close)
	for _, host := range hosts {
		w.connect(host+":443", secure.Listener.Addr().String())
		w.connect(host+":80", open.Listener.Addr().String())
	}
}

// pop3 makes a POP3 server on the ports 995 and 110 of a host, or one of them.
func (w *world) pop3(t *testing.T, host string, ports ...string) {
	t.Helper()
	srv := pop3server.New(pop3server.Options{
		Backend: new(pop3mem.Backend), TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.cert}}, Logger: slog.New(slog.DiscardHandler),
	})
	var wg sync.WaitGroup
	for _, port := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.connect(host+":"+port, l.Addr().String())
		if port == "995" {
			wg.Go(func() { _ = srv.ServeTLS(l) })
		} else {
			wg.Go(func() { _ = srv.Serve(l) })
		}
	}
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })
}

func (w *world) options() Options {
	return Options{Resolver: w.resolver(), DialContext: w.dial, RootCAs: w.roots}
}

func bob(t testing.TB) Address {
	t.Helper()
	a, err := ParseAddress("bob@example.net")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func find(t *testing.T, a Address, opt Options) *Result {
	t.Helper()
	r, err := Find(t.Context(), a, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
