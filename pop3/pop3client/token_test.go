package pop3client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// The token of the tests is short enough for the line of AUTH, longToken is as long as they are in practice (C-051).
const shortToken = "ya29.short"

var longToken = strings.Repeat("x", 4096)

func oauthbearer(token string) string {
	return b64("n,a=mrose@example.com,\x01host=" + host + "\x01auth=Bearer " + token + "\x01\x01")
}

func xoauth2(token string) string {
	return b64("user=mrose@example.com\x01auth=Bearer " + token + "\x01\x01")
}

// TestLoginToken has what a server announces and the dialogue that follows, under verified TLS.
func TestLoginToken(t *testing.T) {
	t.Parallel()
	const both, google, none = "C: CAPA\nS: +OK\nS: SASL PLAIN XOAUTH2 OAUTHBEARER\nS: .\n", "C: CAPA\nS: +OK\nS: SASL PLAIN XOAUTH2\nS: .\n", "C: CAPA\nS: -ERR\n"
	const denied = `{"status":"invalid_token","scope":"mail"}`
	for _, test := range []struct {
		name     string
		token    string
		change   func(*pop3client.Options)
		dialogue string
		want     error
		refused  *sasl.TokenError
	}{
		{name: "OAUTHBEARER on one line", token: shortToken, dialogue: both + "C: AUTH OAUTHBEARER " + oauthbearer(shortToken) + "\nS: +OK"},
		{name: "OAUTHBEARER on two lines (C-051)", token: longToken, dialogue: both + "C: AUTH OAUTHBEARER\nS: + \nC: " + oauthbearer(longToken) + "\nS: +OK"},
		{name: "XOAUTH2 on one line", token: shortToken, dialogue: google + "C: AUTH XOAUTH2 " + xoauth2(shortToken) + "\nS: +OK"},
		{name: "XOAUTH2 on two lines (C-051)", token: longToken, dialogue: google + "C: AUTH XOAUTH2\nS: +\nC: " + xoauth2(longToken) + "\nS: +OK"},
		{
			name: "short token on two lines (Microsoft 365)", token: shortToken,
			change:   func(o *pop3client.Options) { o.NoInitialResponse = true },
			dialogue: google + "C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(shortToken) + "\nS: +OK",
		},
		{
			name: "named, though not announced", token: shortToken,
			change:   func(o *pop3client.Options) { o.Mechanisms = []string{"XOAUTH2"} },
			dialogue: none + "C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(shortToken) + "\nS: +OK",
		},
		{
			name: "the standard one is not allowed", token: shortToken,
			change:   func(o *pop3client.Options) { o.Mechanisms = []string{"XOAUTH2", "PLAIN"} },
			dialogue: both + "C: AUTH XOAUTH2 " + xoauth2(shortToken) + "\nS: +OK",
		},
		{
			name: "OAUTHBEARER refused (C-061)", token: shortToken,
			dialogue: both + "C: AUTH OAUTHBEARER " + oauthbearer(shortToken) + "\nS: + " + b64(denied) + "\nC: AQ==\nS: -ERR [AUTH] no\nC: NOOP\nS: +OK",
			want:     &pop3.Error{Code: "AUTH", Text: "no"}, refused: &sasl.TokenError{Status: "invalid_token", Scope: "mail"},
		},
		{
			name: "XOAUTH2 refused", token: longToken,
			dialogue: google + "C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(longToken) + "\nS: + " + b64(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`) + "\nC: \nS: -ERR bad\nC: NOOP\nS: +OK",
			want:     &pop3.Error{Text: "bad"}, refused: &sasl.TokenError{Status: "400", Scope: "https://mail.google.com/"},
		},
		{
			name: "refused without a reason", token: shortToken,
			dialogue: google + "C: AUTH XOAUTH2 " + xoauth2(shortToken) + "\nS: -ERR Logon failure: unknown user name or bad password\nC: NOOP\nS: +OK",
			want:     &pop3.Error{Text: "Logon failure: unknown user name or bad password"},
		},
		{name: "not offered", token: shortToken, dialogue: "C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: NOOP\nS: +OK", want: pop3client.ErrNoMechanism},
		{name: "no token", dialogue: both + "C: NOOP\nS: +OK", want: sasl.ErrMalformed},
		{name: "no token, but a command", token: "x\r\nQUIT", dialogue: both + "C: NOOP\nS: +OK", want: sasl.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config, pool := serverTLS(t, host)
			var traced strings.Builder
			opt := &pop3client.Options{RootCAs: pool, Trace: func(sent bool, line string) { traced.WriteString(line) }}
			if test.change != nil {
				test.change(opt)
			}
			script := pop3test.Script{pop3test.StartTLS(config)}.Then(pop3test.Dialogue("S: +OK\n"+test.dialogue).Then(pop3test.MayHangUp(), pop3test.ExpectHangUp())...)
			opt.DialContext = pop3test.NewScriptedPeer(t, script...).DialTCP
			c, err := pop3client.Dial(t.Context(), host, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.LoginToken(t.Context(), sasl.Bearer{User: "mrose@example.com", Token: test.token})
			var refusal *pop3.Error
			if want, ok := test.want.(*pop3.Error); ok {
				if !errors.As(err, &refusal) || refusal.Code != want.Code || refusal.Text != want.Text {
					t.Errorf("LoginToken: %v, want %v", err, want)
				}
			} else if !errors.Is(err, test.want) {
				t.Errorf("LoginToken: %v, want %v", err, test.want)
			}
			if got, _ := errors.AsType[*sasl.TokenError](err); !cmp.Equal(got, test.refused) {
				t.Errorf("token error %v, want %v", got, test.refused)
			}
			if test.token != "" && (err != nil && strings.Contains(err.Error(), test.token) || strings.Contains(traced.String(), test.token) ||
				strings.Contains(traced.String(), xoauth2(test.token)) || strings.Contains(traced.String(), oauthbearer(test.token))) {
				t.Errorf("the token can be seen: %v, %s", err, traced.String())
			}
			if test.want != nil {
				if err := c.Noop(t.Context()); err != nil {
					t.Errorf("NOOP after that: %v", err)
				}
			}
		})
	}
}

// A token is not sent where others can read it, not even when the caller allows passwords there.
func TestTokenNeverInTheClear(t *testing.T) {
	t.Parallel()
	bearer := sasl.Bearer{User: "mrose", Token: shortToken}
	for name, login := range map[string]func(*pop3client.Client) error{
		"LoginToken":       func(c *pop3client.Client) error { return c.LoginToken(t.Context(), bearer) },
		"Auth XOAUTH2":     func(c *pop3client.Client) error { return c.Auth(t.Context(), sasl.NewXOAuth2Client(bearer)) },
		"Auth OAUTHBEARER": func(c *pop3client.Client) error { return c.Auth(t.Context(), sasl.NewOAuthBearerClient(bearer)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, pop3test.Script{pop3test.Reply("+OK"), pop3test.ExpectHangUp()}) // with AllowCleartext
			if err := login(c); !errors.Is(err, pop3client.ErrCleartext) {
				t.Errorf("%v, want ErrCleartext", err)
			}
			c.Close()
		})
	}
}
