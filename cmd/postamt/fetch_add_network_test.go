package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/discover"
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
	addr, secure, ca := serveMailbox(t, "bob", "example.net", "autoconfig.example.net", "pop.example.net", "box.example.net")
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `<clientConfig version="1.1"><emailProvider id="example.net"><incomingServer type="pop3"><hostname>box.example.net</hostname>
			<port>995</port><socketType>SSL</socketType><username>%%EMAILLOCALPART%%</username><authentication>password-cleartext</authentication>
			</incomingServer></emailProvider></clientConfig>`)
	}))
	web.TLS = secure.Clone()
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	web.StartTLS()
	t.Cleanup(web.Close)

	for _, tt := range []struct {
		origin, server string
		net            names
	}{
		{"autoconfig", "pop3s://box.example.net", names{listen: map[string]string{
			"autoconfig.example.net:443": web.Listener.Addr().String(), "box.example.net:995": addr,
		}}},
		{"srv", "pop3s://box.example.net:1995", names{
			listen: map[string]string{"box.example.net:1995": addr},
			srv:    map[string]*net.SRV{"_pop3s._tcp.example.net.": {Target: "box.example.net.", Port: 1995}},
		}},
		{"guess", "pop3s://pop.example.net", names{listen: map[string]string{"pop.example.net:995": addr}}},
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
