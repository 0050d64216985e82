package pop3server_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3/pop3server"
)

func TestSTLS(t *testing.T) { // S-170, S-171, S-173, S-174
	t.Parallel()
	p := start(t, nil).pipe(t).greeted()
	p.cmd("STLS x", "-ERR ")
	p.cmd("USER "+user, "+OK ")
	p.cmd("STLS", "+OK ")
	tc := p.startTLS(nil)
	// Silence until a command comes.
	if err := tc.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.r.Peek(1); err == nil {
		t.Error("the server speaks first after STLS")
	}
	if err := tc.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	p.r = bufio.NewReader(tc)
	p.cmd("PASS "+password, "-ERR send USER first")
	p.cmd("STLS", "-ERR TLS is active already")
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS "+password, "+OK ")
	p.cmd("STLS", "-ERR ")
	for i, m := range mail {
		if got := p.body("RETR " + string(rune('1'+i))); got != m {
			t.Errorf("message %d: %q", i+1, got)
		}
	}
	p.quit()
}

// TestInjectedPlaintext: what came behind STLS in the clear is never run (S-172).
func TestInjectedPlaintext(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).greeted()
	p.send("STLS\r\nUSER " + user + "\r\nCAPA\r\nNOO")
	p.want("+OK begin TLS")
	p.startTLS(nil)
	p.cmd("PASS "+password, "-ERR send USER first")
	p.cmd("QUIT", "+OK ")
	p.closed()
}

func TestSTLSWithoutTLS(t *testing.T) {
	t.Parallel()
	start(t, func(o *pop3server.Options) { o.TLSConfig = nil }).pipe(t).greeted().cmd("STLS", "-ERR STLS is not offered")
}

// TestBadHandshake: on a failure the connection ends, it never goes on in the clear (S-177).
func TestBadHandshake(t *testing.T) {
	t.Parallel()
	sum := make(chan pop3server.Summary, 1)
	s := start(t, func(o *pop3server.Options) {
		o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s }
	})
	p := s.pipe(t).greeted()
	p.cmd("STLS", "+OK ")
	p.sendAsync("CAPA\r\nCAPA\r\n")
	got, _ := io.ReadAll(p.nc)
	if bytes.Contains(got, []byte("+OK")) {
		t.Errorf("the server went on with %q", got)
	}
	if s := <-sum; s.Reason != pop3server.ReasonTLS || s.Err == nil {
		t.Errorf("ended with %q, %v", s.Reason, s.Err)
	}
}

func TestPOP3S(t *testing.T) { // S-002, S-003, S-173, S-205
	t.Parallel()
	s := start(t, nil)
	p := dial(t, s.tcp(t, true))
	if err := p.nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.nc.Read(make([]byte, 1)); err == nil {
		t.Error("an octet came before the handshake")
	}
	if err := p.nc.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	tc := p.startTLS(nil)
	p.signedIn()
	p.cmd("STLS", "-ERR ")
	p.cmd("QUIT", "+OK ")
	if _, err := tc.Read(make([]byte, 1)); err != io.EOF { // not io.ErrUnexpectedEOF
		t.Errorf("no close_notify: %v", err)
	}
}

func TestTLSPolicy(t *testing.T) { // S-200, S-201, S-203, S-204
	t.Parallel()
	s := start(t, func(o *pop3server.Options) {
		cfg := serverTLS()
		cfg.MinVersion = tls.VersionTLS10 // the library knows better
		o.TLSConfig = cfg
	})
	addr := s.tcp(t, true)
	try := func(change func(*tls.Config)) (tls.ConnectionState, error) {
		cfg := clientTLS()
		change(cfg)
		nc, err := tls.Dial("tcp", addr, cfg)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer func() { _ = nc.Close() }()
		return nc.ConnectionState(), nil
	}
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := try(func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }); err == nil {
			t.Errorf("%s was accepted", tls.VersionName(v))
		}
	}
	if _, err := try(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	state, err := try(func(c *tls.Config) { c.NextProtos = []string{"pop3"} })
	if err != nil || state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "pop3" {
		t.Errorf("default: %s, protocol %q, %v", tls.VersionName(state.Version), state.NegotiatedProtocol, err)
	}
	if _, err = try(func(c *tls.Config) { c.NextProtos = []string{"h2"} }); err == nil || !strings.Contains(err.Error(), "no application protocol") {
		t.Errorf("ALPN h2: %v", err)
	}
	asked := false
	_, _ = try(func(c *tls.Config) {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return new(tls.Certificate), nil
		}
	})
	if asked {
		t.Error("a client certificate was asked for")
	}
}

// TestResumption: sessions resume although each handshake has its own copy of the configuration, and stay bound to the
// right certificate.
func TestResumption(t *testing.T) {
	t.Parallel()
	addr := start(t, nil).tcp(t, true)
	cfg := clientTLS()
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i, want := range []bool{false, true, true} {
		p := dial(t, addr)
		tc := p.startTLS(cfg)
		p.signedIn()
		if got := tc.ConnectionState().DidResume; got != want {
			t.Errorf("connection %d: resumed %v, want %v", i+1, got, want)
		}
		if !p.capabilities().HasSASL("SCRAM-SHA-256-PLUS") {
			t.Errorf("connection %d: no -PLUS", i+1)
		}
		p.quit()
	}
}

// TestCertificateByName: the certificate that a name chooses is the one that is bound.
func TestCertificateByName(t *testing.T) {
	t.Parallel()
	other := makeCertificate("other.example.org")
	s := start(t, func(o *pop3server.Options) {
		cert := certificate()
		o.TLSConfig = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if hello.ServerName == "other.example.org" {
				return &tls.Config{Certificates: []tls.Certificate{other}}, nil
			}
			return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }}, nil
		}}
	})
	addr := s.tcp(t, true)
	for name, want := range map[string][]byte{"mx.example.org": certificate().Certificate[0], "other.example.org": other.Certificate[0]} {
		nc, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := nc.ConnectionState().PeerCertificates[0]; !bytes.Equal(got.Raw, want) {
			t.Errorf("%s: wrong certificate", name)
		}
		_ = nc.Close()
	}
}

// TestClientCertificateIsNotSignIn: S-008.
func TestClientCertificateIsNotSignIn(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *pop3server.Options) {
		cfg := serverTLS()
		cfg.ClientAuth = tls.RequestClientCert
		o.TLSConfig = cfg
	})
	p := dial(t, s.tcp(t, true))
	cfg := clientTLS()
	cfg.Certificates = []tls.Certificate{makeCertificate("client")}
	p.startTLS(cfg)
	p.greeted()
	p.cmd("STAT", "-ERR ")
}

// TestPanicInCertificateCallback: it costs the one connection.
func TestPanicInCertificateCallback(t *testing.T) {
	t.Parallel()
	sum := make(chan pop3server.Summary, 1)
	s := start(t, func(o *pop3server.Options) {
		o.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("boom") }}
		o.Hooks.ConnClose = func(_ *pop3server.Conn, s pop3server.Summary) { sum <- s }
	})
	p := s.pipe(t).greeted()
	p.cmd("STLS", "+OK ")
	if err := tls.Client(p.nc, clientTLS()).Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	if got := <-sum; got.Reason != pop3server.ReasonTLS || !strings.Contains(got.Err.Error(), "boom") {
		t.Errorf("ended with %q, %v", got.Reason, got.Err)
	}
}
