package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// RFC 8996, RFC 9325 §3.1.1: 1.2 and 1.3, the latter preferred.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		oldest             string
		clientMin, client  uint16
		want               uint16
		clientErrorContain string
	}{
		{"", tls.VersionTLS10, tls.VersionTLS10, 0, "protocol version not supported"},
		{"", tls.VersionTLS10, tls.VersionTLS11, 0, "protocol version not supported"},
		{"", tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS12, ""},
		{"", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS13, ""},
		{"1.2", tls.VersionTLS12, tls.VersionTLS12, tls.VersionTLS12, ""},
		{"1.3", tls.VersionTLS12, tls.VersionTLS12, 0, "protocol version not supported"},
		{"1.3", tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS13, ""},
	} {
		c := open(t, Options{MinVersion: tt.oldest})
		state, err := handshake(t, c.Config(), &tls.Config{MinVersion: tt.clientMin, MaxVersion: tt.client})
		if !contains(err, tt.clientErrorContain) || state.Version != tt.want {
			t.Errorf("min_version %q, client up to %s: got %s, %v", tt.oldest, tls.VersionName(tt.client), tls.VersionName(state.Version), err)
		}
	}
}

// RFC 9325 §4: each suite of TLS 1.2 that Go knows, the insecure ones included, is offered alone; only six get through.
func TestCipherSuites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ecc := makePair(t, dir, "ecdsa", ecdsaKey(t), "localhost")
	rsa := makePair(t, dir, "rsa", rsaKey(t, 2048), "localhost")
	c := open(t, Options{Pairs: []Pair{ecc, rsa}})
	var accepted []string
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(suite.SupportedVersions, uint16(tls.VersionTLS12)) {
			continue
		}
		state, err := handshake(t, c.Config(), &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if err == nil && state.CipherSuite == suite.ID {
			accepted = append(accepted, suite.Name)
		}
	}
	slices.Sort(accepted)
	want := []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	}
	if diff := cmp.Diff(want, accepted); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestKeyExchange(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	for _, tt := range []struct {
		name   string
		groups []tls.CurveID
		want   tls.CurveID
	}{
		{"today's client", nil, tls.X25519MLKEM768},
		{"yesterday's client", []tls.CurveID{tls.X25519, tls.CurveP256}, tls.X25519},
		{"only P-256", []tls.CurveID{tls.CurveP256}, tls.CurveP256},
		{"only P-521", []tls.CurveID{tls.CurveP521}, 0},
	} {
		state, err := handshake(t, c.Config(), &tls.Config{CurvePreferences: tt.groups})
		if state.CurveID != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("%s: got %v, %v; want %v", tt.name, state.CurveID, err, tt.want)
		}
	}
}

// RFC 9325 §3.8, RFC 7301 §3.2.
func TestALPN(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	for _, tt := range []struct {
		offered   []string
		want      string
		wantError string
	}{
		{nil, "", ""},
		{[]string{"pop3"}, "pop3", ""},
		{[]string{"h2", "pop3"}, "pop3", ""},
		{[]string{"h2"}, "", "no application protocol"},
		{[]string{"http/1.1"}, "", "no application protocol"},
		{[]string{"imap"}, "", "no application protocol"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			state, err := handshake(t, c.Config(), &tls.Config{NextProtos: tt.offered, MaxVersion: version})
			if !contains(err, tt.wantError) || state.NegotiatedProtocol != tt.want {
				t.Errorf("%v over %s: got %q, %v", tt.offered, tls.VersionName(version), state.NegotiatedProtocol, err)
			}
		}
	}
}

// RFC 8314 §4.2.
func TestNoClientCertificateIsAskedFor(t *testing.T) {
	t.Parallel()
	c := open(t, Options{})
	_, err := handshake(t, c.Config(), &tls.Config{
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			t.Error("asked for a client certificate")
			return nil, errors.New("no")
		},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestServerName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := ecdsaKey(t)
	c := open(t, Options{Pairs: []Pair{
		makePair(t, dir, "first", key, "first.example"),
		makePair(t, dir, "wild", key, "*.example.org"),
		makePair(t, dir, "exact", key, "mail.example.org", "POP.Example.Net"),
		makePair(t, dir, "rsa", rsaKey(t, 2048), "first.example", "both.example"),
		makePair(t, dir, "ecc", key, "both.example"),
	}})
	for _, tt := range []struct {
		name, want string
		suite      uint16 // offered alone, over TLS 1.2
	}{
		{name: "mail.example.org", want: "exact"},
		{name: "MAIL.example.ORG", want: "exact"},
		{name: "pop.example.net", want: "exact"},
		{name: "other.example.org", want: "wild"},
		{name: "a.b.example.org", want: "first"}, // a wildcard stands for one label
		{name: "example.org", want: "first"},
		{name: "org", want: "first"},
		{name: "", want: "first"},
		{name: "192.0.2.1", want: "first"},
		{name: "both.example", want: "rsa"}, // the first of the file that the client can verify
		{name: "both.example", want: "ecc", suite: tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{name: "nobody.example", want: "rsa", suite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	} {
		client := &tls.Config{ServerName: tt.name}
		if tt.suite != 0 {
			client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{tt.suite}
		}
		state, err := handshake(t, c.Config(), client)
		if err != nil {
			t.Errorf("%q: %v", tt.name, err)
			continue
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != tt.want {
			t.Errorf("%q: got the certificate %q, want %q", tt.name, got, tt.want)
		}
	}
}

// open loads certificates, self-signed ones in a temporary folder.
func open(t *testing.T, opt Options) *Certificates {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = filepath.Join(t.TempDir(), "tls")
	}
	c, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// handshake connects a client that verifies nothing, and exchanges one octet so that alerts of either side are seen.
func handshake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	client = client.Clone()
	client.InsecureSkipVerify = true
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer far.Close()
		conn := tls.Server(far, server)
		if conn.Handshake() == nil {
			_, _ = conn.Write([]byte("+"))
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	conn := tls.Client(near, client)
	_, err := io.ReadFull(conn, make([]byte, 1))
	state := conn.ConnectionState()
	near.Close()
	<-served
	if err != nil {
		return tls.ConnectionState{}, err
	}
	return state, nil
}

func contains(err error, want string) bool {
	if want == "" || err == nil {
		return (want == "") == (err == nil)
	}
	return strings.Contains(err.Error(), want)
}

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
