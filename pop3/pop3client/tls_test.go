package pop3client_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

const host = "pop.example.com"

// serverTLS returns the settings of a server and what a client needs to trust it.
func serverTLS(t *testing.T, hosts ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	cert, pool := pop3test.NewCertificate(t, hosts...)
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, NextProtos: []string{"pop3"}}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	config, pool := serverTLS(t, host)
	var name string
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, nil
	}
	peer := pop3test.NewScriptedPeer(t, pop3test.StartTLS(config), pop3test.Reply("+OK"),
		pop3test.Expect("CAPA"), pop3test.Reply("+OK", "USER", "."),
		pop3test.Expect("USER mrose"), pop3test.Reply("+OK"),
		pop3test.Expect("PASS secret"), pop3test.Reply("+OK"),
		pop3test.Expect("QUIT"), pop3test.Reply("+OK"))
	// Everything but the authority is default.
	c, err := pop3client.Dial(t.Context(), host, &pop3client.Options{RootCAs: pool, DialContext: peer.DialTCP})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Secure() || c.TLS() == nil || c.TLS().NegotiatedProtocol != "pop3" || c.TLS().Version != tls.VersionTLS13 || len(c.TLS().VerifiedChains) != 1 {
		t.Errorf("Secure %v, TLS %+v", c.Secure(), c.TLS())
	}
	if err := c.Login(t.Context(), "mrose", "secret"); err != nil {
		t.Errorf("Login: %v", err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Errorf("Quit: %v", err)
	}
	if err := peer.Wait(); err != nil {
		t.Error(err)
	}
	if name != host {
		t.Errorf("SNI %q, want %q (C-082)", name, host)
	}
}

// TestTLSVerification: a server that is not the one that was asked for hears nothing of the session (C-056, C-074, C-075).
func TestTLSVerification(t *testing.T) {
	t.Parallel()
	config, pool := serverTLS(t, host)
	other, otherPool := serverTLS(t, "other.example.com")
	old := config.Clone()
	old.MaxVersion = tls.VersionTLS11
	pin := pop3client.PinOf(config.Certificates[0].Leaf)
	otherPin := pop3client.PinOf(other.Certificates[0].Leaf)
	for _, test := range []struct {
		name   string
		server *tls.Config
		opt    pop3client.Options
		ok     bool
		secure bool
	}{
		{"good", config, pop3client.Options{RootCAs: pool}, true, true},
		{"authority of TLSConfig", config, pop3client.Options{TLSConfig: &tls.Config{RootCAs: pool}}, true, true},
		{"unknown authority", config, pop3client.Options{}, false, false},
		{"another name", other, pop3client.Options{RootCAs: otherPool}, false, false},
		{"another name, asked for", other, pop3client.Options{RootCAs: otherPool, TLSConfig: &tls.Config{ServerName: "other.example.com"}}, true, true},
		{"TLS 1.1", old, pop3client.Options{RootCAs: pool}, false, false},
		{"expired", config, pop3client.Options{RootCAs: pool, TLSConfig: &tls.Config{Time: func() time.Time { return time.Now().Add(48 * time.Hour) }}}, false, false},
		{"fitting pin", config, pop3client.Options{RootCAs: pool, Pins: []pop3client.Pin{otherPin, pin}}, true, true},
		{"another pin", config, pop3client.Options{RootCAs: pool, Pins: []pop3client.Pin{otherPin}}, false, false},
		{"pin does not replace the authority", config, pop3client.Options{Pins: []pop3client.Pin{pin}}, false, false},
		{"unless told so", config, pop3client.Options{Pins: []pop3client.Pin{pin}, PinsOnly: true}, true, true},
		{"pins only, another pin", config, pop3client.Options{RootCAs: pool, Pins: []pop3client.Pin{otherPin}, PinsOnly: true}, false, false},
		{"pins only, no pins", config, pop3client.Options{PinsOnly: true}, false, false},
		{"caller says yes", config, pop3client.Options{VerifyServer: func(tls.ConnectionState, error) error { return nil }}, true, true},
		{"caller says no", config, pop3client.Options{RootCAs: pool, VerifyServer: func(_ tls.ConnectionState, err error) error {
			if err != nil {
				return nil
			}
			return errors.New("no")
		}}, false, false},
		{"not verified", config, pop3client.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}}, true, false},
	} {
		for _, security := range []pop3client.Security{pop3client.TLS, pop3client.STLS} {
			t.Run(test.name+"/"+security.String(), func(t *testing.T) {
				t.Parallel()
				script := pop3test.Script{pop3test.StartTLS(test.server), pop3test.MayHangUp(), pop3test.Reply("+OK")}
				if security == pop3client.STLS {
					script = pop3test.Dialogue("S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK").Then(script[:2]...)
				}
				if !test.ok {
					// The handshake fails on the server's side as well: that is what the client wants it to.
					script = pop3test.Script{pop3test.MayHangUp()}.Then(script...)
				}
				opt := test.opt
				opt.Security = security
				opt.DialContext = pop3test.NewScriptedPeer(t, script.Then(pop3test.ExpectHangUp())...).DialTCP
				c, err := pop3client.Dial(t.Context(), host, &opt)
				if (err == nil) != test.ok {
					t.Fatalf("Dial: %v", err)
				}
				if err != nil {
					var conn *pop3client.ConnError
					if !errors.As(err, &conn) || conn.Op != "TLS" {
						t.Errorf("error %v, want a *ConnError for TLS", err)
					}
					return
				}
				defer c.Close()
				if c.Secure() != test.secure {
					t.Errorf("Secure %v, want %v", c.Secure(), test.secure)
				}
			})
		}
	}
}

// TestNoSecretsUnverified: TLS to nobody in particular is as good as none.
func TestNoSecretsUnverified(t *testing.T) {
	t.Parallel()
	config, _ := serverTLS(t, host)
	peer := pop3test.NewScriptedPeer(t, pop3test.StartTLS(config), pop3test.Reply("+OK"),
		pop3test.Expect("CAPA"), pop3test.Reply("+OK", "USER", "SASL PLAIN", "."), pop3test.ExpectHangUp())
	c, err := pop3client.Dial(t.Context(), host, &pop3client.Options{
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: peer.DialTCP,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrCleartext) {
		t.Errorf("Login: %v, want ErrCleartext", err)
	}
	c.Close()
}

// TestSTLS: what was said before TLS does not count after it (C-071, C-072).
func TestSTLS(t *testing.T) {
	t.Parallel()
	config, pool := serverTLS(t, host)
	peer := pop3test.NewScriptedPeer(t, pop3test.Dialogue(`
		S: +OK ready <1896.697170952@dbc.mtview.ca.us>
		C: CAPA
		S: +OK
		S: STLS
		S: X-BEFORE
		S: .
		C: STLS
	`).Then(
		pop3test.Send("+OK begin TLS\r\n+OK injected\r\n-ERR injected, too\r\n"),
		pop3test.StartTLS(config),
	).Then(pop3test.Dialogue(`
		C: CAPA
		S: +OK
		S: X-AFTER
		S: .
		C: NOOP
		S: -ERR not injected
		C: QUIT
		S: +OK
	`)...)...)
	c, err := pop3client.Dial(t.Context(), host, &pop3client.Options{Security: pop3client.STLS, RootCAs: pool, DialContext: peer.DialTCP})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	capa, err := c.Capa(t.Context())
	if err != nil || !capa.Has("X-AFTER") || capa.Has("X-BEFORE") {
		t.Errorf("Capa: %v, %v", capa, err)
	}
	var refused *pop3.Error
	if err := c.Noop(t.Context()); !errors.As(err, &refused) || refused.Text != "not injected" {
		t.Errorf("Noop: %v, want what came under TLS", err)
	}
	if err := c.APOP(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrNoTimestamp) {
		t.Errorf("APOP with a timestamp from before TLS: %v, want ErrNoTimestamp", err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Errorf("Quit: %v", err)
	}
}

// TestNoSTLS: a server that does not do STLS hears QUIT, and nothing else (C-073, C-083).
func TestNoSTLS(t *testing.T) {
	t.Parallel()
	for name, dialogue := range map[string]string{
		"not announced": "C: CAPA\nS: +OK\nS: USER\nS: .\nC: QUIT\nS: +OK",
		"no CAPA":       "C: CAPA\nS: -ERR\nC: STLS\nS: -ERR what?\nC: QUIT\nS: +OK",
		"refused":       "C: CAPA\nS: +OK\nS: STLS\nS: .\nC: STLS\nS: -ERR [SYS/TEMP] no certificate\nC: QUIT\nS: +OK",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := pop3test.NewScriptedPeer(t, pop3test.Dialogue("S: +OK\n"+dialogue).Then(pop3test.ExpectHangUp())...)
			_, err := pop3client.Dial(t.Context(), host, &pop3client.Options{Security: pop3client.STLS, AllowCleartext: true, DialContext: peer.DialTCP})
			if !errors.Is(err, pop3client.ErrNoSTLS) {
				t.Errorf("Dial: %v, want ErrNoSTLS", err)
			}
		})
	}
}

func TestTrustOnFirstUse(t *testing.T) {
	t.Parallel()
	first, _ := serverTLS(t, "somebody.example.org")
	second, _ := serverTLS(t, host)
	var mu sync.Mutex
	pins := map[string]pop3client.Pin{}
	trust := pop3client.TrustOnFirstUse(
		func(host string) (pop3client.Pin, bool) {
			mu.Lock()
			defer mu.Unlock()
			pin, ok := pins[host]
			return pin, ok
		},
		func(host string, pin pop3client.Pin) error {
			mu.Lock()
			defer mu.Unlock()
			pins[host] = pin
			return nil
		})
	connect := func(config *tls.Config) error {
		peer := pop3test.NewScriptedPeer(t, pop3test.MayHangUp(), pop3test.StartTLS(config), pop3test.Reply("+OK"), pop3test.ExpectHangUp())
		c, err := pop3client.Dial(t.Context(), host, &pop3client.Options{VerifyServer: trust, DialContext: peer.DialTCP})
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := connect(first); err != nil {
		t.Errorf("first time: %v", err)
	}
	if err := connect(first); err != nil {
		t.Errorf("second time: %v", err)
	}
	var changed *pop3client.PinError
	if err := connect(second); !errors.As(err, &changed) || changed.Host != host || changed.Got != pop3client.PinOf(second.Certificates[0].Leaf) {
		t.Errorf("another key: %v, want a *PinError", err)
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	pin := pop3client.Pin(bytes.Repeat([]byte{0xA5}, 32))
	got, err := pop3client.ParsePin(pin.String())
	if err != nil || got != pin {
		t.Errorf("ParsePin(%q) = %v, %v", pin, got, err)
	}
	for _, s := range []string{"", "sha256/", "sha1/pa==", strings.TrimPrefix(pin.String(), "sha256/"), pin.String() + "=", "sha256/AAAA"} {
		if _, err := pop3client.ParsePin(s); err == nil {
			t.Errorf("ParsePin(%q) took it", s)
		}
	}
}

// TestChannelBinding: with TLS, SCRAM is bound to the connection; a second try on it is not made (C-060, C-084).
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	config, pool := serverTLS(t, host)
	for _, test := range []struct {
		name, password string
		version        uint16
	}{
		{"TLS 1.3", "secret", tls.VersionTLS13},
		{"TLS 1.2", "secret", tls.VersionTLS12},
		{"wrong password", "wrong", tls.VersionTLS13},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := config.Clone()
			config.MaxVersion = test.version
			var exported []byte
			credentials, err := sasl.DeriveScramCredentials(sasl.SHA256, "secret", []byte("salt of the sea"), sasl.MinIterations)
			if err != nil {
				t.Fatal(err)
			}
			var c *pop3client.Client
			lookup := func(string, string) (sasl.ScramCredentials, error) { return credentials, nil }
			// Both ends export the same octets, so the client's state can stand in for the server's.
			auth := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
				binding, err := sasl.TLSExporter(c.TLS())
				if err != nil {
					return nil, err
				}
				exported = binding.Data
				server := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: lookup, Bindings: []sasl.ChannelBinding{binding}})
				return answer(line, "SCRAM-SHA-256-PLUS", server)
			})
			peer := pop3test.NewScriptedPeer(t, pop3test.StartTLS(config), pop3test.Reply("+OK"), pop3test.Expect("CAPA"),
				pop3test.Reply("+OK", "SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "."), auth, pop3test.ExpectHangUp())
			c, err = pop3client.Dial(t.Context(), host, &pop3client.Options{RootCAs: pool, DialContext: peer.DialTCP})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.Login(t.Context(), "mrose", test.password)
			if good := test.password == "secret"; (err == nil) != good || c.SignedIn() != good {
				t.Errorf("Login: %v", err)
			}
			if err != nil {
				if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrState) {
					t.Errorf("second Login on the connection: %v, want ErrState", err)
				}
			}
			c.Close()
			if err := peer.Wait(); err != nil || len(exported) != 32 {
				t.Errorf("peer: %v, binding of %d octets", err, len(exported))
			}
		})
	}
}

// TestChannelBindingRefused: a refusal with channel binding may be about the binding (Cyrus 3.6 knows none for TLS 1.3 and
// refuses the proof), which the error tells.
func TestChannelBindingRefused(t *testing.T) {
	t.Parallel()
	config, pool := serverTLS(t, host)
	for _, test := range []struct {
		name, reply string
		want        bool
	}{
		{"with [AUTH]", "-ERR [AUTH] authenticating: bad protocol / cancel", true},
		{"without a code", "-ERR no", true},
		{"for another reason", "-ERR [SYS/TEMP] busy", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			auth := pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
				if !strings.HasPrefix(line, "AUTH SCRAM-SHA-256-PLUS ") {
					return nil, fmt.Errorf("got %q", line)
				}
				return pop3test.Script{pop3test.Reply(test.reply)}, nil
			})
			peer := pop3test.NewScriptedPeer(t, pop3test.StartTLS(config), pop3test.Reply("+OK"), pop3test.Expect("CAPA"),
				pop3test.Reply("+OK", "SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "."), auth, pop3test.ExpectHangUp())
			c, err := pop3client.Dial(t.Context(), host, &pop3client.Options{RootCAs: pool, DialContext: peer.DialTCP})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var refused *pop3.Error
			if err := c.Login(t.Context(), "mrose", "secret"); !errors.As(err, &refused) || errors.Is(err, pop3client.ErrBinding) != test.want {
				t.Errorf("Login: %v, ErrBinding: want %v", err, test.want)
			}
		})
	}
}
