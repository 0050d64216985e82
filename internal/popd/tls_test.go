package popd_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

// selfSigned returns a certificate that is good for this test.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startTLS does STLS and returns what a channel can be bound to.
func (c *client) startTLS(cert tls.Certificate) sasl.ChannelBinding {
	c.t.Helper()
	c.ok("STLS")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	tc := tls.Client(c.Conn, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.Conn, c.r = tc, bufio.NewReader(tc)
	state := tc.ConnectionState()
	binding, err := sasl.TLSExporter(&state)
	if err != nil {
		c.t.Fatal(err)
	}
	return binding
}

// SCRAM bound to the channel of TLS, with either hash.
func TestSignInPlus(t *testing.T) {
	t.Parallel()
	cert := selfSigned(t)
	o := newOffice(t, settings{server: func(opt *pop3server.Options) {
		opt.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}})
	for _, h := range []sasl.ScramHash{sasl.SHA256, sasl.SHA1} {
		for password, want := range map[string]string{"tanstaaf": "+OK maildrop has 0 messages (0 octets)", "wrong": wrong} {
			c := o.connect()
			binding := c.startTLS(cert)
			got := c.auth(sasl.NewScramClient(h, sasl.ScramClientOptions{User: "alice", Password: password, Binding: &binding}))
			if got != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", h.Mechanism(true), password, got, want)
			}
			c.ok("QUIT")
		}
	}
}

// An attemptRecorder notes who tries to sign in how, and refuses them all.
type attemptRecorder struct {
	mu  sync.Mutex
	all []account.Attempt
}

func (r *attemptRecorder) note(at account.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, at)
}

func (r *attemptRecorder) Password(_ context.Context, at account.Attempt, _, _, _ string) (account.Account, error) {
	r.note(at)
	return account.Account{}, sasl.ErrCredentials
}

func (r *attemptRecorder) Scram(_ context.Context, at account.Attempt, _, _, hash string) (sasl.ScramCredentials, account.Account, error) {
	r.note(at)
	h := map[string]sasl.ScramHash{"SHA-1": sasl.SHA1, "SHA-256": sasl.SHA256}[hash]
	return sasl.FakeScramCredentials(h, make([]byte, 32), "alice", 4096), account.Account{}, nil
}

func (r *attemptRecorder) Secret(_ context.Context, at account.Attempt, _ string) ([]byte, account.Account, error) {
	r.note(at)
	return make([]byte, 32), account.Account{}, nil
}

func (r *attemptRecorder) Result(_ context.Context, at account.Attempt, _ string, err error) error {
	r.note(at)
	return err
}

// Those who decide hear from where and how somebody comes, before and after STLS. An exchange that asks for what is
// kept ends with its result.
func TestAttempt(t *testing.T) {
	t.Parallel()
	cert := selfSigned(t)
	recorder := &attemptRecorder{}
	set := weak
	set.options = func(o *popd.Options) { o.SignIn, o.Secret = recorder, true }
	set.server = func(opt *pop3server.Options) {
		opt.APOP, opt.CRAMMD5, opt.MaxFailedAuths = true, true, -1
		opt.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	o := newOffice(t, set)

	c := o.connect()
	addr := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
	if got := ways["APOP"](c, "alice", "x"); got != wrong {
		t.Error(got)
	}
	for _, name := range []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		if got := ways[name](c, "alice", "x"); got != wrong {
			t.Errorf("%s: %s", name, got)
		}
	}
	binding := c.startTLS(cert)
	for _, m := range []sasl.Client{
		sasl.NewPlainClient("", "alice", "x"),
		sasl.NewScramClient(sasl.SHA1, sasl.ScramClientOptions{User: "alice", Password: "x", Binding: &binding}),
		sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: "alice", Password: "x", Binding: &binding}),
	} {
		if got := c.auth(m); got != wrong {
			t.Error(got)
		}
	}
	c.ok("QUIT")
	o.stop()

	var want []account.Attempt
	for _, s := range strings.Fields("APOP APOP PASS PLAIN LOGIN CRAM-MD5 CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-1 " +
		"SCRAM-SHA-256 SCRAM-SHA-256 tls:PLAIN tls:SCRAM-SHA-1-PLUS tls:SCRAM-SHA-1-PLUS tls:SCRAM-SHA-256-PLUS tls:SCRAM-SHA-256-PLUS") {
		mech, secure := strings.CutPrefix(s, "tls:")
		want = append(want, account.Attempt{Addr: addr, Mech: mech, TLS: secure})
	}
	if diff := cmp.Diff(want, recorder.all, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}
