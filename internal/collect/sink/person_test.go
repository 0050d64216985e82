package sink_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/smtpclient"
	"github.com/postamt/postamt/internal/testpeers"
)

// listenTLS is a server that shows a certificate nobody vouches for, and waits for nothing more.
func listenTLS(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	config := &tls.Config{Certificates: s.TLS.Certificates}
	s.Close()
	return testpeers.Listen(t, func(conn net.Conn) {
		_ = tls.Server(conn, config).Handshake() // the client breaks it off
	})
}

// What no waiting cures is told at once, and no message is blamed for it.
func TestServersThatNeedAPerson(t *testing.T) {
	t.Parallel()
	addr := listenTLS(t)
	password := func(err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return "sesame", err }
	}
	smtpTo := func(opt smtpclient.Options) collect.Sink {
		s, err := sink.NewSMTP(sink.ServerOptions{Server: opt, To: []string{"bob@example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	imapTo := func(err error) collect.Sink {
		i, newErr := sink.NewIMAP(sink.IMAPOptions{
			Server: imapclient.Options{Addr: addr, User: "bob"}, Credentials: imapclient.Credentials{Password: password(err)},
		})
		if newErr != nil {
			t.Fatal(newErr)
		}
		return i
	}
	p := startPeer(t, false)
	p.refuse["bob@example.com"] = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	locked := &collect.TemporaryError{Err: errors.New("locked")}
	for _, tt := range []struct {
		name string
		sink collect.Sink
		want collect.Class
	}{
		{"certificate, SMTP", smtpTo(smtpclient.Options{Addr: addr, Security: smtpclient.ImplicitTLS}), collect.Permanent},
		{"certificate, IMAP", imapTo(nil), collect.Permanent},
		{"no password, IMAP", imapTo(errors.New("no file")), collect.Permanent},
		{"locked keyring, IMAP", imapTo(locked), collect.Temporary},
		{"no STARTTLS", smtpTo(smtpclient.Options{Addr: p.addr}), collect.Permanent},
		{"no way to sign in", smtpTo(smtpclient.Options{Addr: p.addr, Security: smtpclient.Cleartext, User: "bob", Password: password(nil)}), collect.Permanent},
		{"sign-in wanted", smtpTo(smtpclient.Options{Addr: p.addr, Security: smtpclient.Cleartext}), collect.Permanent},
	} {
		err := sinktest.Deliver(t.Context(), tt.sink, "a", text)
		if collect.Classify(err) != tt.want {
			t.Errorf("%s: %v is %v, want %v", tt.name, err, collect.Classify(err), tt.want)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := sinktest.Deliver(ended, tt.sink, "b", text); collect.Classify(err) == collect.Permanent {
			t.Errorf("%s, cancelled: %v", tt.name, err)
		}
		if err := tt.sink.Close(); err != nil {
			t.Error(err)
		}
	}
}
