package imapsource_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/oauth/oauthtest"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// What it means when a server lets nobody in.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server scripted
		want   collect.Class
	}{
		{"wrong password", scripted{answers: map[string]string{"LOGIN": "TAG NO [AUTHENTICATIONFAILED] no"}}, collect.Permanent},
		{"not permitted", scripted{answers: map[string]string{"LOGIN": "TAG NO [AUTHORIZATIONFAILED] no"}}, collect.Permanent},
		{"password is too old", scripted{answers: map[string]string{"LOGIN": "TAG NO [EXPIRED] no"}}, collect.Permanent},
		{"a person is needed", scripted{answers: map[string]string{"LOGIN": "TAG NO [CONTACTADMIN] no"}}, collect.Permanent},
		{"TLS is wanted", scripted{answers: map[string]string{"LOGIN": "TAG NO [PRIVACYREQUIRED] no"}}, collect.Permanent},
		{"no way in", scripted{caps: "IMAP4rev1 LOGINDISABLED"}, collect.Permanent},
		{"no reason", scripted{answers: map[string]string{"LOGIN": "TAG NO sorry"}}, collect.Refused},
		{"alert", scripted{answers: map[string]string{"LOGIN": "TAG NO [ALERT] use your web browser"}}, collect.Refused},
		{"BAD", scripted{answers: map[string]string{"LOGIN": "TAG BAD what"}}, collect.Refused},
		{"hangs up on the password", scripted{answers: map[string]string{"LOGIN": ""}}, collect.Refused},
		{"away", scripted{answers: map[string]string{"LOGIN": "TAG NO [UNAVAILABLE] the directory is away"}}, collect.Temporary},
		{"broken", scripted{answers: map[string]string{"LOGIN": "TAG NO [SERVERBUG] oops"}}, collect.Temporary},
		{"goodbye instead of an answer", scripted{answers: map[string]string{"LOGIN": "* BYE shutting down"}}, collect.Temporary},
		{"goodbye as a greeting", scripted{greeting: "* BYE shutting down"}, collect.Temporary},
		{"no IMAP", scripted{greeting: "220 mail.example.com ESMTP"}, collect.Temporary},
		{"too many as a greeting", scripted{greeting: "* BYE Too many connections from your address"}, collect.Busy},
		{"in use", scripted{answers: map[string]string{"LOGIN": "TAG NO [INUSE] wait"}}, collect.Busy},
		{"limit", scripted{answers: map[string]string{"LOGIN": "TAG NO [LIMIT] too many"}}, collect.Busy},
		{"limit without a code", scripted{answers: map[string]string{"LOGIN": "TAG NO Too many simultaneous connections. (Failure)"}}, collect.Busy},
		{"bandwidth", scripted{answers: map[string]string{"LOGIN": "TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"}}, collect.Busy},
		{"no such folder", scripted{answers: map[string]string{"EXAMINE": "TAG NO [NONEXISTENT] no"}}, collect.Permanent},
		{"folder of somebody else", scripted{answers: map[string]string{"EXAMINE": "TAG NO [NOPERM] no"}}, collect.Permanent},
		{"folder in use", scripted{answers: map[string]string{"EXAMINE": "TAG NO [INUSE] wait"}}, collect.Busy},
		{"folder is away", scripted{answers: map[string]string{"EXAMINE": "TAG NO [UNAVAILABLE] no"}}, collect.Temporary},
		{"hangs up on the folder", scripted{answers: map[string]string{"EXAMINE": ""}}, collect.Temporary},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			session, err := test.server.source(t, nil).Open(t.Context())
			if err == nil {
				_ = session.Close()
			}
			if got := collect.Classify(err); got != test.want || err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("%v: %v, want %v", got, err, test.want)
			}
		})
	}
}

// A server that nobody vouches for needs a person, and never gets to know the password.
func TestStrangers(t *testing.T) {
	t.Parallel()
	cert, _ := pop3test.NewCertificate(t, "imap.example.com")
	src := (&scripted{serve: func(line string, _ *bufio.Reader, _ io.Writer) bool {
		t.Errorf("it said %q", line)
		return true
	}}).source(t, func(o *imapsource.Options) {
		o.URL, o.Cleartext, o.Client.RootCAs = "imaps://bob@imap.example.com", false, x509.NewCertPool()
		o.Client.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	_, err := src.Open(t.Context())
	if collect.Classify(err) != collect.Permanent || !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("%v", err)
	}
}

// byToken answers AUTHENTICATE with the server's end of a mechanism.
func byToken(mech string, check func(sasl.Bearer) (string, error)) func(string, *bufio.Reader, io.Writer) bool {
	return func(line string, r *bufio.Reader, w io.Writer) bool {
		words := strings.Fields(line)
		if words[1] != "AUTHENTICATE" {
			return false
		}
		server := sasl.NewXOAuth2Server(check)
		if mech == sasl.OAuthBearer {
			server = sasl.NewOAuthBearerServer(check)
		}
		text := words[len(words)-1]
		for {
			response, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
			challenge, done := []byte(nil), false
			if err == nil {
				challenge, done, err = server.Next(response)
			}
			switch {
			case err != nil || words[2] != mech:
				_, _ = fmt.Fprintf(w, "%s NO [AUTHENTICATIONFAILED] no\r\n", words[0])
				return true
			case done:
				_, _ = fmt.Fprintf(w, "%s OK signed in\r\n", words[0])
				return true
			}
			_, _ = fmt.Fprintf(w, "+ %s\r\n", base64.StdEncoding.EncodeToString(challenge))
			if text, err = r.ReadString('\n'); err != nil {
				return true
			}
		}
	}
}

// A token is shown with either mechanism. One that is not taken is renewed once, and then it needs a person.
func TestToken(t *testing.T) {
	t.Parallel()
	for _, mech := range []string{sasl.OAuthBearer, sasl.XOAuth2} {
		for _, test := range []struct {
			name           string
			ended, renewed bool
			asked          int
			want           collect.Class
		}{
			{name: "good", asked: 1, want: collect.OK},
			{name: "ended", ended: true, renewed: true, asked: 2, want: collect.OK},
			{name: "ended for good", ended: true, asked: 2, want: collect.Permanent},
		} {
			t.Run(mech+" "+test.name, func(t *testing.T) {
				t.Parallel()
				provider := oauthtest.NewHandler(t, oauthtest.Options{})
				token, _ := provider.Grant("mail")
				if test.ended {
					provider.EndAccess()
				}
				cert, pool := pop3test.NewCertificate(t, "imap.example.com")
				asked, shown := 0, ""
				check := func(b sasl.Bearer) (string, error) {
					if mech == sasl.OAuthBearer && (b.Host != "imap.example.com" || b.Port != 993) {
						return "", fmt.Errorf("it wants to go to %s:%d", b.Host, b.Port)
					}
					if !provider.Active(b.Token) {
						return "", &sasl.TokenError{Status: "invalid_token"}
					}
					return b.User, nil
				}
				server := &scripted{caps: "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=" + mech, serve: byToken(mech, check)}
				src := server.source(t, func(o *imapsource.Options) {
					o.URL, o.Cleartext, o.Client.RootCAs = "imaps://bob@imap.example.com", false, pool
					o.Client.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
					o.Credentials = imapclient.Credentials{
						Token: func(context.Context) (string, error) {
							asked++
							return token, nil
						},
						Refused: func(old string) {
							shown = old
							if test.renewed {
								token, _ = provider.Grant("mail")
							}
						},
					}
				})
				old := token
				session, err := src.Open(t.Context())
				if err == nil {
					defer func() { _ = session.Close() }()
				}
				if got := collect.Classify(err); got != test.want || asked != test.asked || (shown == old) != test.ended {
					t.Errorf("%v after %d tokens: %v, want %v after %d", got, asked, err, test.want, test.asked)
				}
				if err != nil && (!strings.Contains(err.Error(), "invalid_token") || strings.Contains(err.Error(), old)) {
					t.Errorf("it says %q", err)
				}
			})
		}
	}
}
