package office

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
	"github.com/postamt/postamt/pop3/pop3client"
)

// An IMAP server of a destination is believed if its key is pinned, or its certificate comes from an authority of choice.
// Then there is TLS on this very machine, too, and a server that is not believed gets no password and needs a person.
func TestIMAPSinkTrust(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(nil)
	s.Close()
	peer := imaptest.Start(t, imaptest.Options{TLS: &tls.Config{Certificates: s.TLS.Certificates}})
	plain := imaptest.Start(t, imaptest.Options{})
	dir := t.TempDir()
	authority, password := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "password")
	for path, text := range map[string][]byte{
		authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), password: []byte(imaptest.Password),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pin, other := pop3client.PinOf(s.Certificate()).String(), pop3client.Pin{1}.String()
	for _, tt := range []struct {
		name, addr, ca string
		pins           []string
		want           collect.Class
	}{
		{"nothing, on this machine", plain.Addr, "", nil, collect.OK},
		{"a pin", peer.Addr, "", []string{other, pin}, collect.OK},
		{"another pin", peer.Addr, "", []string{other}, collect.Permanent},
		{"an authority", peer.Addr, authority, nil, collect.OK},
		{"a pin, but no TLS", plain.Addr, "", []string{pin}, collect.Permanent},
		{"an authority, but no TLS", plain.Addr, authority, nil, collect.Permanent},
	} {
		f := &config.Fetch{IMAPPassword: "file:" + password, IMAPCA: tt.ca, IMAPPins: tt.pins}
		d := config.Destination{Kind: config.ToIMAP, Name: tt.addr, User: imaptest.User, Words: []string{"INBOX"}}
		sink, err := (&builder{folder: dir}).imapSink(f, d)
		if err != nil {
			t.Fatal(err)
		}
		delivery, err := sink.Begin(t.Context(), collect.Letter{Key: "k"})
		if got := collect.Classify(err); got != tt.want {
			t.Errorf("%s: %v is %v, want %v", tt.name, err, got, tt.want)
		}
		if err == nil {
			delivery.Abort()
		}
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, f := range map[string]*config.Fetch{"ca": {IMAPCA: dir + "/none"}, "pin": {IMAPPins: []string{"x"}}} {
		f.IMAPPassword = "file:" + password
		if _, err := (&builder{folder: dir}).imapSink(f, config.Destination{Name: peer.Addr, User: imaptest.User, Words: []string{"INBOX"}}); err == nil {
			t.Errorf("%s: a wrong one is taken", name)
		}
	}
}
