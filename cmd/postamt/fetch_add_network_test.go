package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/discover"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
	"github.com/postamt/postamt/pop3/pop3test"
)

// names is a network in which only these names are there: "host:port" to an address on loopback. It answers for DNS, too.
type names struct {
	listen map[string]string
	srv    map[string]*net.SRV
}

func (n *names) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to := n.listen[addr]
	if to == "" {
		return nil, fmt.Errorf("no route to %s", addr)
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

func (n *names) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if r := n.srv["_"+service+"._"+proto+"."+name]; r != nil {
		return "", []*net.SRV{r}, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (n *names) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// From the address alone to a configuration that fetches: by autoconfig, by SRV, and by guessing.
func TestFetchAddFromTheAddressAlone(t *testing.T) {
	t.Parallel()
	cert, _ := pop3test.NewCertificate(t, "example.net", "autoconfig.example.net", "pop.example.net", "box.example.net")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `<clientConfig version="1.1"><emailProvider id="example.net"><incomingServer type="pop3"><hostname>box.example.net</hostname>
			<port>995</port><socketType>SSL</socketType><username>%%EMAILLOCALPART%%</username><authentication>password-cleartext</authentication>
			</incomingServer></emailProvider></clientConfig>`)
	}))
	web.TLS = config
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	web.StartTLS()
	t.Cleanup(web.Close)
	backend := new(pop3mem.Backend)
	if err := backend.AddAccount("bob", "open sesame"); err != nil {
		t.Fatal(err)
	}
	srv := pop3server.New(pop3server.Options{Backend: backend, TLSConfig: config, Logger: slog.New(slog.DiscardHandler)})
	var wg sync.WaitGroup
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { _ = srv.ServeTLS(l) })
	t.Cleanup(func() { _ = srv.Close(); wg.Wait() })

	for _, tt := range []struct {
		origin, server string
		net            names
	}{
		{"autoconfig", "pop3s://box.example.net", names{listen: map[string]string{
			"autoconfig.example.net:443": web.Listener.Addr().String(), "box.example.net:995": l.Addr().String(),
		}}},
		{"srv", "pop3s://box.example.net:1995", names{
			listen: map[string]string{"box.example.net:1995": l.Addr().String()},
			srv:    map[string]*net.SRV{"_pop3s._tcp.example.net.": {Target: "box.example.net.", Port: 1995}},
		}},
		{"guess", "pop3s://pop.example.net", names{listen: map[string]string{"pop.example.net:995": l.Addr().String()}}},
	} {
		c := newAdding(t, ca)
		c.find, c.resolver, c.dial = discover.Find, &tt.net, tt.net.dial
		if err := c.run(t.Context(), "bob@example.net"); err != nil {
			t.Errorf("%s: %v\n%s", tt.origin, err, c.errs)
			continue
		}
		if f := c.added(t); f.URL != tt.server || f.User != "bob" || f.Password != "file:"+filepath.Join(c.dir, "secrets", "example.net.password") {
			t.Errorf("%s: %+v", tt.origin, f)
		}
		if text, err := os.ReadFile(c.configPath); err != nil || !strings.Contains(string(text), "# Server found by "+tt.origin+": ") {
			t.Errorf("%s: %s, %v", tt.origin, text, err)
		}
	}
}
