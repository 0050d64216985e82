package testpeers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/oauth/oauthtest"
)

// dovecotOAuth makes Dovecot ask the authorization server about tokens (RFC 7662).
func dovecotOAuth(t *testing.T, s *oauthtest.Server) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "oauth2.conf")
	text := fmt.Sprintf(`introspection_url = %s/introspect
introspection_mode = post
client_id = dovecot
client_secret = secret
username_attribute = username
active_attribute = active
active_value = true
scope = mail
`, s.URL)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("auth_mechanisms = plain oauthbearer xoauth2\npassdb {\n driver = oauth2\n mechanisms = oauthbearer xoauth2\n args = %s\n}\n", conf)
}

var address = regexp.MustCompile(`http://\S+`)

// login runs postamt fetch login, and plays the person in front of the browser, or of the other device.
func (h *home) login(t *testing.T, s *oauthtest.Server, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.bin, append([]string{"fetch", "login", "far", "--config", h.config}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	done := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		text.WriteString(line + "\n")
		switch {
		case done:
		case len(args) == 0 && address.MatchString(line):
			done = true
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
			resp, err := client.Get(address.FindString(line))
			if err != nil {
				t.Error(err)
				continue
			}
			resp.Body.Close()
		case len(args) > 0 && s.Type(line, true):
			done = true
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(text.String(), "far is signed in, the token will be renewed by itself") {
		t.Fatalf("postamt fetch login: %v\n%s", err, text.String())
	}
}

// TestCollectWithTokens brings a mailbox home from a real Dovecot that takes tokens only, with both mechanisms, and with
// tokens that fit on the line of AUTH and such that do not. A token that the server threw away before its time is replaced
// in the same run.
func TestCollectWithTokens(t *testing.T) {
	t.Parallel()
	Need(t, "dovecot")
	for _, tt := range []struct {
		mech   string
		opaque bool
		args   []string
	}{
		{"OAUTHBEARER", true, nil},
		{"OAUTHBEARER", false, []string{"--device"}},
		{"XOAUTH2", true, []string{"--device"}},
		{"XOAUTH2", false, nil},
	} {
		form := map[bool]string{true: "one line", false: "two lines"}[tt.opaque]
		t.Run(tt.mech+", "+form, func(t *testing.T) {
			t.Parallel()
			s := oauthtest.New(t, oauthtest.Options{Opaque: tt.opaque, Interval: time.Second})
			d := StartDovecot(t, dovecotOAuth(t, s), DovecotUser{Name: oauthtest.User, Password: farPassword, Messages: [][]byte{
				[]byte("Message-ID: <1@example.com>\r\nSubject: one\r\n\r\nOne.\r\n"), []byte("Message-ID: <2@example.com>\r\nSubject: two\r\n\r\nTwo.\r\n"),
			}})
			h := newHome(t, fmt.Sprintf("url = %q\n", "pop3s://"+strings.Replace(oauthtest.User, "@", "%40", 1)+"@localhost:"+Port(d.POP3S)))
			h.configureTokens(t, d, s, tt.mech)

			if out := h.run(t, 1, "fetch"); !strings.Contains(out, "run: postamt fetch login far") {
				t.Errorf("before signing in: %s", out)
			}
			h.login(t, s, tt.args...)
			h.run(t, 0, "fetch")
			if files := readFiles(t, filepath.Join(h.dir, "Maildir", "new")); len(files) != 2 {
				t.Errorf("%d messages, want 2", len(files))
			}

			s.EndAccess()
			h.run(t, 0, "fetch")
			if n := s.Asked("refresh_token"); n != 1 {
				t.Errorf("the token was renewed %d times, want once", n)
			}
			var status []struct {
				Tokens []struct {
					SignedIn   bool      `json:"signed_in"`
					ValidUntil time.Time `json:"valid_until"`
					Renewable  bool
				}
			}
			if err := json.Unmarshal([]byte(h.run(t, 0, "fetch", "status", "--json")), &status); err != nil {
				t.Fatal(err)
			}
			if token := status[0].Tokens[0]; !token.SignedIn || !token.Renewable || token.ValidUntil.IsZero() {
				t.Errorf("status %+v", status)
			}

			if s.Asked("/introspect") < 2 {
				t.Error("Dovecot has not asked about the tokens")
			}

			s.EndAll() // the user takes the permission back: believed when it is confirmed
			if out := h.run(t, 75, "fetch"); !strings.Contains(out, "invalid_grant") {
				t.Errorf("after the end: %s", out)
			}
			h.login(t, s, tt.args...)
			h.run(t, 0, "fetch")

			h.run(t, 0, "fetch", "logout", "far")
			h.run(t, 1, "fetch")
			if n := s.Asked("/revoke"); n != 1 {
				t.Errorf("%d tokens were given back, want 1", n)
			}
		})
	}
}

// configureTokens writes a configuration with an [[oauth]].
func (h *home) configureTokens(t *testing.T, d *Dovecot, s *oauthtest.Server, mech string) {
	t.Helper()
	secret := filepath.Join(h.dir, "client.secret")
	if err := os.WriteFile(secret, []byte(oauthtest.ClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`data = "data"
[[fetch]]
name = "far"
url = "pop3s://localhost:%s"
user = %q
oauth = "provider"
auth = [%q]
ca = %q
to = ["maildir:Maildir", "store:bob"]
[[oauth]]
name = "provider"
issuer = %q
client_id = %q
client_secret = "file:client.secret"
scopes = ["mail"]
`, Port(d.POP3S), oauthtest.User, mech, d.CA, s.URL, oauthtest.ClientID)
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
