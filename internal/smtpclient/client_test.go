package smtpclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"github.com/postamt/postamt/internal/smtpclient"
	oursasl "github.com/postamt/postamt/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificates returns a server's certificate for 127.0.0.1 and who vouches for it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: roots}
}

// A server is one of somebody else's.
type server struct {
	addr string
	mu   sync.Mutex
	got  []string
	tls  bool
	auth []string // mechanisms that were begun

	otherBinding bool // it knows no binding that the client knows
}

func (s *server) used(mech string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = append(s.auth, mech)
}

type session struct {
	s     *server
	conn  *smtp.Conn
	mechs []string
	user  string
}

func (s *session) AuthMechanisms() []string { return s.mechs }
func (s *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, pass string) error {
		if user != "bob" || pass != "sesame" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	s.s.used(mech)
	if mech == oursasl.ScramSHA256 || mech == oursasl.ScramSHA256Plus {
		cred, err := oursasl.DeriveScramCredentials(oursasl.SHA256, "sesame", oursasl.NewSalt(), 4096)
		if err != nil {
			return nil, err
		}
		s.user = "bob"
		opt := oursasl.ScramServerOptions{
			Lookup:      func(_, _ string) (oursasl.ScramCredentials, error) { return cred, nil },
			PlusOffered: slices.Contains(s.mechs, oursasl.ScramSHA256Plus),
		}
		if mech == oursasl.ScramSHA256Plus {
			state, _ := s.conn.TLSConnectionState()
			binding, err := oursasl.TLSExporter(&state)
			if err != nil {
				return nil, err
			}
			if s.s.otherBinding {
				binding.Type = "tls-unique"
			}
			opt.Bindings = []oursasl.ChannelBinding{binding}
		}
		return &lastWord{Server: oursasl.NewScramServer(oursasl.SHA256, opt)}, nil
	}
	return sasl.NewPlainServer(func(_, user, pass string) error { return check(user, pass) }), nil
}

// lastWord sends what goes with success as one more challenge, because SMTP has no room for it (RFC 4954 §4).
type lastWord struct {
	sasl.Server
	done bool
}

func (l *lastWord) Next(response []byte) ([]byte, bool, error) {
	if l.done {
		return nil, true, nil
	}
	challenge, done, err := l.Server.Next(response)
	l.done = done
	return challenge, false, err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error {
	if len(s.mechs) > 0 && s.user == "" {
		return smtp.ErrAuthRequired
	}
	return nil
}
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	s.s.got = append(s.s.got, string(b))
	return nil
}

func start(t *testing.T, config *tls.Config, implicit bool, mechs ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &server{addr: l.Addr().String()}
	if implicit {
		l = tls.NewListener(l, config)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, isTLS := c.TLSConnectionState()
		out.mu.Lock()
		defer out.mu.Unlock()
		out.tls = out.tls || isTLS
		return &session{s: out, conn: c, mechs: mechs}, nil
	}))
	s.Domain, s.TLSConfig, s.MaxLineLength, s.AllowInsecureAuth = "peer", config, 1<<20, true
	s.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() {
		_ = l.Close()
		_ = s.Close()
		<-done
	})
	return out
}

func password(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

// send sends one message as one session.
func send(ctx context.Context, opt smtpclient.Options, text string) error {
	c, err := smtpclient.Dial(ctx, opt)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail("", "bob@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt("bob@example.com"); err != nil {
		return err
	}
	m, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(m, text); err != nil {
		return err
	}
	answers, err := m.Finish(1)
	if err != nil {
		return err
	}
	return errors.Join(append(answers, c.Quit())...)
}

func TestProtectionAndSignIn(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := certificates(t)
	const text = "X: y\r\n\r\n.\r\n..\r\na\r\r\nb\xff\x00\r\n"
	for _, test := range []struct {
		name     string
		config   *tls.Config // of the server
		implicit bool
		mechs    []string
		opt      smtpclient.Options
		err      string
	}{
		{"implicit TLS", serverTLS, true, nil, smtpclient.Options{Security: smtpclient.ImplicitTLS, TLS: clientTLS}, ""},
		{"STARTTLS", serverTLS, false, nil, smtpclient.Options{TLS: clientTLS}, ""},
		{"cleartext", nil, false, nil, smtpclient.Options{Security: smtpclient.Cleartext}, ""},
		{"STARTTLS is not offered", nil, false, nil, smtpclient.Options{}, "does not offer STARTTLS"},
		{"unknown certificate", serverTLS, false, nil, smtpclient.Options{}, "certificate"},
		{"unknown certificate, implicit", serverTLS, true, nil, smtpclient.Options{Security: smtpclient.ImplicitTLS}, "certificate"},
		{"PLAIN over TLS", serverTLS, false, []string{"PLAIN"}, smtpclient.Options{TLS: clientTLS, User: "bob", Password: password("sesame")}, ""},
		{"wrong password", serverTLS, false, []string{"PLAIN"}, smtpclient.Options{TLS: clientTLS, User: "bob", Password: password("x")}, "535"},
		{"PLAIN in the clear", nil, false, []string{"PLAIN"}, smtpclient.Options{Security: smtpclient.Cleartext, User: "bob", Password: password("sesame")}, "no mechanism"},
		{"PLAIN over unchecked TLS", serverTLS, false, []string{"PLAIN"}, smtpclient.Options{TLS: &tls.Config{InsecureSkipVerify: true}, User: "bob", Password: password("sesame")}, "no mechanism"},
		{"SCRAM in the clear", nil, false, []string{"PLAIN", "SCRAM-SHA-256"}, smtpclient.Options{Security: smtpclient.Cleartext, User: "bob", Password: password("sesame")}, ""},
		{"SCRAM, wrong password", nil, false, []string{"SCRAM-SHA-256"}, smtpclient.Options{Security: smtpclient.Cleartext, User: "bob", Password: password("x")}, "signing in failed"},
		{"not signed in", serverTLS, false, []string{"PLAIN"}, smtpclient.Options{TLS: clientTLS}, "authenticate first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, test.config, test.implicit, test.mechs...)
			opt := test.opt
			opt.Addr = s.addr
			err := send(t.Context(), opt, text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error with %q", err, test.err)
				}
				// go-smtp answers those with 502 and 454.
				unclear := test.name == "not signed in" || test.name == "SCRAM, wrong password"
				if smtpclient.NeedsPerson(err) == unclear {
					t.Errorf("%v: needs a person: %v", err, !unclear)
				}
				if err != nil && (strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "c2VzYW1l")) {
					t.Errorf("the error tells the password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(s.got) != 1 || s.got[0] != text {
				t.Errorf("there came %q, want %q", s.got, text)
			}
		})
	}
}

// SCRAM is bound to the TLS connection where the server can do that; one that turns the binding down gets a sign-in without
// it, on a new connection.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := certificates(t)
	const plus, plain = oursasl.ScramSHA256Plus, oursasl.ScramSHA256
	for _, tt := range []struct {
		name         string
		otherBinding bool
		offer, want  []string
		password     string
		err          string
	}{
		{"bound", false, []string{plain, plus}, []string{plus}, "sesame", ""},
		{"not offered", false, []string{plain}, []string{plain}, "sesame", ""},
		{"another binding", true, []string{plain, plus}, []string{plus, plain}, "sesame", ""},
		{"another binding and nothing else", true, []string{plus}, []string{plus}, "sesame", "no mechanism"},
		{"wrong password", false, []string{plain, plus}, []string{plus}, "x", "signing in failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, serverTLS, false, tt.offer...)
			s.otherBinding = tt.otherBinding
			err := send(t.Context(), smtpclient.Options{Addr: s.addr, TLS: clientTLS, User: "bob", Password: password(tt.password)}, "x\r\n")
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if !slices.Equal(s.auth, tt.want) {
				t.Errorf("used %q, want %q", s.auth, tt.want)
			}
		})
	}
}

// script plays a server: it sends what does not begin with "C:", and reads a line for each that does.
func script(t *testing.T, lines ...string) smtpclient.Options {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for _, line := range lines {
			var err error
			if line == "C:" {
				_, err = server.Read(buf)
			} else {
				_, err = io.WriteString(server, line)
			}
			if err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, server) // says nothing more
	}()
	t.Cleanup(func() {
		_ = server.Close()
		_ = client.Close()
		<-done
	})
	return smtpclient.Options{
		Addr: "peer:25", Security: smtpclient.Cleartext, Timeout: 20 * time.Second,
		Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil },
	}
}

func TestBrokenServers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, err string
		security  smtpclient.Security
		lines     []string
	}{
		{"refuses the connection", "421 4.3.2 busy, come later", smtpclient.Cleartext, []string{"421-4.3.2 busy,\r\n421 4.3.2 come later\r\n"}},
		{"no SMTP", "does not begin with a code", smtpclient.Cleartext, []string{"+OK POP3\r\n"}},
		{"no text", "code 250 is no answer here", smtpclient.Cleartext, []string{"250\r\n"}},
		{"two codes", "makes no sense", smtpclient.Cleartext, []string{"220-a\r\n221 b\r\n"}},
		{"code out of range", "makes no sense", smtpclient.Cleartext, []string{"999 x\r\n"}},
		{"no space", "not followed by a space", smtpclient.Cleartext, []string{"220x\r\n"}},
		{"long line", "line of a reply is too long", smtpclient.Cleartext, []string{"220 " + strings.Repeat("x", 2000) + "\r\n"}},
		{"endless reply", "too many lines", smtpclient.Cleartext, []string{strings.Repeat("220-x\r\n", 200)}},
		{"injected answers", "together with the answer to STARTTLS", smtpclient.StartTLS, []string{
			"220 x\r\n", "C:", "250-x\r\n250 STARTTLS\r\n", "C:", "220 go\r\n250 injected\r\n",
		}},
		{"refuses STARTTLS", "454 4.7.0 no", smtpclient.StartTLS, []string{"220 x\r\n", "C:", "250-x\r\n250 STARTTLS\r\n", "C:", "454 4.7.0 no\r\n"}},
		{"control characters", "550 ??no", smtpclient.Cleartext, []string{"220 x\r\n", "C:", "250 x\r\n", "C:", "550 \x1b\x07no\r\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opt := script(t, test.lines...)
			opt.Security = test.security
			if err := send(t.Context(), opt, "x\r\n"); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want an error with %q", err, test.err)
			}
		})
	}
}

// An old server without EHLO is greeted as one.
func TestHELO(t *testing.T) {
	t.Parallel()
	opt := script(t, "220 x\r\n", "C:", "502 what?\r\n", "C:", "250 x\r\n", "C:", "250 ok\r\n", "C:", "250 ok\r\n", "C:", "354 go\r\n",
		"C:", "250 ok\r\n", "C:", "221 bye\r\n")
	if err := send(t.Context(), opt, "x\r\n"); err != nil {
		t.Error(err)
	}
}

// A server that stops is not waited for longer than the limit, nor when the context ends.
func TestServerStops(t *testing.T) {
	t.Parallel()
	opt := script(t, "220 x\r\n")
	opt.Timeout = 20 * time.Millisecond
	var timeout net.Error
	if _, err := smtpclient.Dial(t.Context(), opt); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("silent: %v, want a timeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opt = script(t, "220 x\r\n", "C:", "250 x\r\n", "C:", "250 x\r\n", "C:", "250 x\r\n", "C:", "354 x\r\n")
	c, err := smtpclient.Dial(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer c.Watch(ctx)()
	if err := errors.Join(c.Mail(""), c.Rcpt("a@b")); err != nil {
		t.Fatal(err)
	}
	m, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil { // until what is under way is full
		_, err = m.Write(bytes.Repeat([]byte("x\r\n"), 10000))
	}
	if _, err := m.Finish(1); err == nil {
		t.Error("Finish after an error: no error")
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, opt := range []smtpclient.Options{
		{}, {Addr: "host"}, {Addr: "host:25", User: "bob"}, {Addr: "host:25", LocalName: "a b"},
	} {
		if _, err := smtpclient.Dial(t.Context(), opt); err == nil {
			t.Errorf("%+v: no error", opt)
		}
	}
	c, err := smtpclient.Dial(t.Context(), script(t, "220 x\r\n", "C:", "250 x\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, address := range []string{"a@b>\r\nDATA", "a@b> X=Y", "<a@b>", strings.Repeat("x", 513)} {
		if err := c.Mail(address); err == nil {
			t.Errorf("MAIL FROM %.40q: no error", address)
		}
		if err := c.Rcpt(address); err == nil {
			t.Errorf("RCPT TO %.40q: no error", address)
		}
	}
	if err := c.Mail("", "b\u00f6b@example.com"); !errors.Is(err, smtpclient.ErrNoUTF8) {
		t.Errorf("UTF-8 for a server without: %v", err)
	}
}
