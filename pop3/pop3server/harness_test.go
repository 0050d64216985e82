package pop3server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	user     = "alice"
	password = "looking-glass"
	login    = "USER " + user + "\r\nPASS " + password + "\r\n"
)

// The mail of alice: as it is sent, 59 + 41 + 29 octets.
var mail = []string{
	"Subject: one\r\nFrom: a@example.org\r\n\r\n.first\r\nsecond\r\n",
	"Subject: two\r\n\r\n1\r\n2\r\n3\r\n.\r\n..\r\nlast\r\n",
	"Subject: three\r\n\r\nshort\r\n",
}

// A testServer is a server over a backend in memory.
type testServer struct {
	*pop3server.Server
	mem *pop3mem.Backend
}

// start starts a server with alice's mail in memory. Passwords are allowed in the clear on pipes and loopback.
func start(t testing.TB, change func(*pop3server.Options)) *testServer {
	t.Helper()
	mem := &pop3mem.Backend{Secrets: true}
	if err := mem.AddAccount(user, password); err != nil {
		t.Fatal(err)
	}
	for _, m := range mail {
		if _, err := mem.Deliver(user, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	opt := pop3server.Options{Backend: mem, Cleartext: pop3server.CleartextLoopback, TLSConfig: serverTLS(), Hostname: "mx.example.org"}
	if change != nil {
		change(&opt)
	}
	s := &testServer{pop3server.New(opt), mem}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// tcp serves on loopback and returns the address.
func (s *testServer) tcp(t testing.TB, implicitTLS bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := s.Serve
	if implicitTLS {
		serve = s.ServeTLS
	}
	done := make(chan error, 1)
	go func() { done <- serve(ln) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, pop3server.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// A peer is the client's end, under the test's full control.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t, nc, bufio.NewReader(nc)}
}

// pipe connects without reading the greeting. The connection is synchronous: what one end writes the other must read.
func (s *testServer) pipe(t testing.TB) *peer {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(server)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-done
	})
	return newPeer(t, client)
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

// greeted reads the greeting.
func (p *peer) greeted() *peer {
	p.t.Helper()
	p.want("+OK ")
	return p
}

// signedIn reads the greeting and signs in.
func (p *peer) signedIn() *peer {
	p.t.Helper()
	p.greeted()
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS "+password, "+OK ")
	return p
}

// send sends octets while somebody else may have to read.
func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.nc, s); err != nil {
		p.t.Fatalf("send %.60q: %v", s, err)
	}
}

// sendAsync sends octets in a goroutine, for pipes on which the server answers before it has read everything.
func (p *peer) sendAsync(s string) {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.WriteString(p.nc, s) })
	p.t.Cleanup(wg.Wait)
	p.t.Cleanup(func() { _ = p.nc.Close() })
}

// line reads one line. It checks what holds for every line: CRLF, and no control characters in status lines.
func (p *peer) line() string {
	p.t.Helper()
	s, err := p.r.ReadString('\n')
	if err != nil {
		p.t.Fatalf("read line: %q, %v", s, err)
	}
	if !strings.HasSuffix(s, "\r\n") {
		p.t.Fatalf("line does not end with CRLF: %q", s)
	}
	return strings.TrimSuffix(s, "\r\n")
}

// want reads one status line, which must begin with prefix.
func (p *peer) want(prefix string) string {
	p.t.Helper()
	s := p.line()
	if !strings.HasPrefix(s, prefix) {
		p.t.Fatalf("got %q, want %q...", s, prefix)
	}
	checkStatus(p.t, s)
	return s
}

// checkStatus checks what holds for every status line (S-031, S-038, S-043, S-046).
func checkStatus(t testing.TB, s string) {
	t.Helper()
	rest, ok := strings.CutPrefix(s, "+OK ")
	if !ok {
		rest, ok = strings.CutPrefix(s, "-ERR ")
	}
	if !ok || rest == "" || len(s) > 510 {
		t.Errorf("malformed status line %q", s)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			t.Errorf("status line has octet %#x: %q", s[i], s)
		}
	}
}

// cmd sends a command and reads one status line, which must begin with prefix.
func (p *peer) cmd(line, prefix string) string {
	p.t.Helper()
	p.send(line + "\r\n")
	return p.want(prefix)
}

// lines reads a multi-line response after its status line, and takes the stuffing off.
func (p *peer) lines() []string {
	p.t.Helper()
	var all []string
	for {
		s := p.line()
		if s == "." {
			return all
		}
		all = append(all, strings.TrimPrefix(s, "."))
	}
}

// multi sends a command and reads a multi-line response.
func (p *peer) multi(line string) []string {
	p.t.Helper()
	p.cmd(line, "+OK ")
	return p.lines()
}

// body is multi, joined.
func (p *peer) body(line string) string {
	p.t.Helper()
	var b strings.Builder
	for _, l := range p.multi(line) {
		b.WriteString(l + "\r\n")
	}
	return b.String()
}

// closed checks that the server closes without another octet.
func (p *peer) closed() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); len(rest) > 0 {
		p.t.Fatalf("got %q, %v, want the end", rest, err)
	}
}

// quit ends the session.
func (p *peer) quit() {
	p.t.Helper()
	p.cmd("QUIT", "+OK ")
	p.closed()
}

// startTLS does the client's handshake.
func (p *peer) startTLS(cfg *tls.Config) *tls.Conn {
	p.t.Helper()
	if cfg == nil {
		cfg = clientTLS()
	}
	tc := tls.Client(p.nc, cfg)
	if err := tc.Handshake(); err != nil {
		p.t.Fatalf("handshake: %v", err)
	}
	p.nc, p.r = tc, bufio.NewReader(tc)
	return tc
}

var certificate = sync.OnceValue(func() tls.Certificate { return makeCertificate("mx.example.org") })

func makeCertificate(name string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), // whatever the clock of a test says
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serverTLS() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{certificate()}} }

func clientTLS() *tls.Config {
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(certificate().Certificate[0])
	if err != nil {
		panic(err)
	}
	pool.AddCert(leaf)
	return &tls.Config{RootCAs: pool, ServerName: "mx.example.org"}
}

// uids returns what is left in alice's maildrop.
func (s *testServer) count() int { return len(s.mem.UIDs(user)) }
