package sasl_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postamt/postamt/sasl"
	"github.com/xdg-go/scram"
)

// Both ends of a connection find the same binding, two connections find different ones, and a third implementation
// agrees.
func TestChannelBindings(t *testing.T) {
	t.Parallel()
	cert := newCert(t, elliptic.P256(), x509.ECDSAWithSHA256)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			client, server := handshake(t, cert, version)
			ours, err := sasl.TLSExporter(&server)
			if err != nil {
				t.Fatal(err)
			}
			clients, err := sasl.TLSExporter(&client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ours, clients); diff != "" || len(ours.Data) != 32 || ours.Type != "tls-exporter" {
				t.Errorf("tls-exporter of the two ends: %v, %s", ours, diff)
			}
			if other, _ := handshake(t, cert, version); true {
				b, err := sasl.TLSExporter(&other)
				if err != nil || cmp.Equal(b, ours) {
					t.Errorf("another connection has the same binding (%v)", err)
				}
			}
			// xdg-go/scram leaves the context away, which is the same thing in TLS 1.3 only (RFC 9266 §2, RFC 5705 §4).
			if version == tls.VersionTLS13 {
				theirs, err := scram.NewTLSExporterBinding(&server)
				if err != nil || string(theirs.Data) != string(ours.Data) {
					t.Errorf("xdg-go/scram finds %x (%v), we find %x", theirs.Data, err, ours.Data)
				}
			}

			end, err := sasl.TLSServerEndPoint(cert.Leaf)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := sasl.TLSServerEndPoint(client.PeerCertificates[0])
			if err != nil || !cmp.Equal(end, seen) {
				t.Errorf("tls-server-end-point of the two ends: %v, %v (%v)", end, seen, err)
			}
			theirs, err := scram.NewTLSServerEndpointBinding(&client)
			if err != nil || string(theirs.Data) != string(end.Data) {
				t.Errorf("xdg-go/scram finds %x (%v), we find %x", theirs.Data, err, end.Data)
			}

			for _, b := range []sasl.ChannelBinding{ours, end} {
				cred, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", []byte("salt"), 4096)
				if err != nil {
					t.Fatal(err)
				}
				exchange := func(bindings ...sasl.ChannelBinding) error {
					return talk(
						sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: "user", Password: "pencil", Binding: &b}),
						sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{
							Bindings: bindings, PlusOffered: true,
							Lookup: func(string, string) (sasl.ScramCredentials, error) { return cred, nil },
						}))
				}
				if err := exchange(ours, end); err != nil {
					t.Errorf("bound by %s: %v", b.Type, err)
				}
				// Somebody in the middle, with a connection of his own to the server.
				if err := exchange(sasl.ChannelBinding{Type: b.Type, Data: []byte("another connection")}); err == nil {
					t.Errorf("bound by %s to another connection: taken", b.Type)
				}
			}
		})
	}
}

func TestTLSExporterBeforeHandshake(t *testing.T) {
	t.Parallel()
	if b, err := sasl.TLSExporter(&tls.ConnectionState{}); err == nil {
		t.Errorf("TLSExporter = %v, want an error", b)
	}
}

func TestTLSServerEndPointHash(t *testing.T) {
	t.Parallel()
	raw := func(sum []byte) string { return string(sum) }
	for _, tt := range []struct {
		curve elliptic.Curve
		alg   x509.SignatureAlgorithm
		sum   func([]byte) string
	}{
		{elliptic.P256(), x509.ECDSAWithSHA256, func(b []byte) string { s := sha256.Sum256(b); return raw(s[:]) }},
		{elliptic.P384(), x509.ECDSAWithSHA384, func(b []byte) string { s := sha512.Sum384(b); return raw(s[:]) }},
		{elliptic.P521(), x509.ECDSAWithSHA512, func(b []byte) string { s := sha512.Sum512(b); return raw(s[:]) }},
		// RFC 5929 §4.1: SHA-256 takes the place of SHA-1. The certificate only says that it was signed so.
		{elliptic.P256(), x509.SHA1WithRSA, func(b []byte) string { s := sha256.Sum256(b); return raw(s[:]) }},
	} {
		alg := tt.alg
		if alg == x509.SHA1WithRSA {
			alg = x509.ECDSAWithSHA256
		}
		leaf := *newCert(t, tt.curve, alg).Leaf
		leaf.SignatureAlgorithm = tt.alg
		b, err := sasl.TLSServerEndPoint(&leaf)
		if err != nil || string(b.Data) != tt.sum(leaf.Raw) {
			t.Errorf("%v: %x, %v", tt.alg, b.Data, err)
		}
	}
	if b, err := sasl.TLSServerEndPoint(newCert(t, nil, x509.PureEd25519).Leaf); err == nil {
		t.Errorf("Ed25519: %v, want an error", b)
	}
}

// newCert makes a self-signed certificate; a nil curve means Ed25519.
func newCert(t *testing.T, curve elliptic.Curve, alg x509.SignatureAlgorithm) tls.Certificate {
	t.Helper()
	var key crypto.Signer
	var err error
	if curve == nil {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:       big.NewInt(1),
		DNSNames:           []string{"mail.example"},
		NotBefore:          time.Now().Add(-time.Hour),
		NotAfter:           time.Now().Add(time.Hour),
		SignatureAlgorithm: alg,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// handshake makes a TLS connection and returns what its two ends know. edit changes the client's configuration.
func handshake(t *testing.T, cert tls.Certificate, version uint16, edit ...func(*tls.Config)) (client, server tls.ConnectionState) {
	t.Helper()
	a, b := net.Pipe()
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	config := &tls.Config{RootCAs: roots, ServerName: "mail.example", MinVersion: version, MaxVersion: version}
	for _, f := range edit {
		f(config)
	}
	c := tls.Client(a, config)
	s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, SessionTicketsDisabled: true})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return c.ConnectionState(), s.ConnectionState()
}
