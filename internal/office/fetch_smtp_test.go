package office

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3client"
)

// A server of a destination is believed if its key is pinned, or its certificate comes from an authority of choice.
func TestSMTPTrust(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	for path, text := range map[string][]byte{
		right: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), wrong: []byte("nothing"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pin, other := pop3client.PinOf(s.Certificate()), pop3client.Pin{1}
	for _, tt := range []struct {
		name, ca string
		pins     []string
		want     string
	}{
		{"nothing", "", nil, "unknown authority"},
		{"a pin", "", []string{other.String(), pin.String()}, ""},
		{"another pin", "", []string{other.String()}, "the key of 127.0.0.1 is not the one that is known"},
		{"no pin", "", []string{"x"}, "is no pin"},
		{"an authority", right, nil, ""},
		{"no authority", wrong, nil, "(smtp_ca) has no certificate in it"},
		{"no file", dir + "/none", nil, "(smtp_ca) cannot be read"},
	} {
		config, err := smtpTrust(&config.Fetch{SMTPCA: tt.ca, SMTPPins: tt.pins}, "127.0.0.1")
		if err == nil {
			var conn *tls.Conn
			if conn, err = tls.Dial("tcp", s.Listener.Addr().String(), config); err == nil {
				_ = conn.Close()
			}
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if _, ok := errors.AsType[*pop3client.PinError](err); ok != (tt.name == "another pin") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Where somebody says whom to trust, nothing goes out in the clear, not even on this machine.
func TestSMTPTrustMeansTLS(t *testing.T) {
	t.Parallel()
	addr := testpeers.Listen(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 peer\r\n")
		_, _ = conn.Read(make([]byte, 1000))
		_, _ = io.WriteString(conn, "250 peer\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	f := &config.Fetch{SMTPPins: []string{pop3client.Pin{}.String()}}
	b := &builder{hostname: "localhost"}
	s, err := b.smtp(f, config.Destination{Kind: config.ToSMTP, Name: addr, Words: []string{"bob@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Begin(t.Context(), collect.Letter{Key: "k"}); err == nil || !strings.Contains(err.Error(), "does not offer STARTTLS") {
		t.Errorf("got %v", err)
	}
}
