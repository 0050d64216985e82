package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

// b64 is base64 as it stands on the wire.
func b64(s string) string { return sasl.EncodeBase64([]byte(s)) }

// plainResponse is what PLAIN sends for mrose and secret.
var plainResponse = b64("\x00mrose\x00secret")

// TestLogin has what a server announces and the dialogue that follows, on a connection in the clear.
func TestLogin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		cleartext bool
		change    func(*pop3client.Options)
		dialogue  string
		want      error
	}{
		{name: "USER and PASS", cleartext: true, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: .
			C: USER mrose
			S: +OK
			C: PASS secret
			S: +OK`},
		{name: "server without CAPA (C-023)", cleartext: true, dialogue: `
			C: CAPA
			S: -ERR what?
			C: USER mrose
			S: +OK
			C: PASS secret
			S: +OK`},
		{name: "PLAIN rather than USER", cleartext: true, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL LOGIN PLAIN
			S: .
			C: AUTH PLAIN ` + plainResponse + `
			S: +OK`},
		{name: "mechanism in lower case", cleartext: true, dialogue: `
			C: CAPA
			S: +OK
			S: sasl plain
			S: .
			C: AUTH PLAIN ` + plainResponse + `
			S: +OK`},
		{name: "LOGIN", cleartext: true, dialogue: `
			C: CAPA
			S: +OK
			S: SASL LOGIN
			S: .
			C: AUTH LOGIN
			S: + VXNlcm5hbWU6
			C: ` + b64("mrose") + `
			S: + UGFzc3dvcmQ6
			C: ` + b64("secret") + `
			S: +OK`},
		{name: "no password in the clear (C-057)", want: pop3client.ErrCleartext, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL LOGIN PLAIN
			S: .`},
		{name: "no password in the clear without CAPA", want: pop3client.ErrCleartext, dialogue: `
			C: CAPA
			S: -ERR`},
		{name: "CRAM-MD5 needs no TLS (RFC 2195)", dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL PLAIN CRAM-MD5
			S: .
			C: AUTH CRAM-MD5
			S: + ` + b64("<1896.697170952@postoffice.reston.mci.net>") + `
			C: ` + cramResponse("<1896.697170952@postoffice.reston.mci.net>") + `
			S: +OK`},
		{name: "nothing that is known", want: pop3client.ErrNoMechanism, dialogue: `
			C: CAPA
			S: +OK
			S: SASL GSSAPI
			S: .`},
		{name: "nothing that is allowed (C-058)", cleartext: true, want: pop3client.ErrNoMechanism, change: func(o *pop3client.Options) {
			o.Mechanisms = []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}
		}, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL PLAIN
			S: .`},
		{name: "the way that is allowed", cleartext: true, change: func(o *pop3client.Options) { o.Mechanisms = []string{"user"} }, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL PLAIN
			S: .
			C: USER mrose
			S: +OK
			C: PASS secret
			S: +OK`},
		{name: "CRAM-MD5 is announced and then refused", cleartext: true, dialogue: `
			C: CAPA
			S: +OK
			S: SASL CRAM-MD5 PLAIN
			S: .
			C: AUTH CRAM-MD5
			S: -ERR not today
			C: AUTH PLAIN ` + plainResponse + `
			S: +OK`},
		{name: "no second try after a wrong password", cleartext: true, want: &pop3.Error{Text: "no"}, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: SASL PLAIN LOGIN
			S: .
			C: AUTH PLAIN ` + plainResponse + `
			S: -ERR no`},
		{name: "no second try where a code says why", cleartext: true, want: &pop3.Error{Code: pop3.CodeInUse, Text: "locked"}, dialogue: `
			C: CAPA
			S: +OK
			S: SASL CRAM-MD5 PLAIN
			S: .
			C: AUTH CRAM-MD5
			S: -ERR [IN-USE] locked`},
		{name: "unknown user is told at PASS (C-035)", cleartext: true, want: &pop3.Error{Code: pop3.CodeAuth, Text: "no"}, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: .
			C: USER mrose
			S: +OK
			C: PASS secret
			S: -ERR [AUTH] no`},
		{name: "unknown user is told at USER", cleartext: true, want: &pop3.Error{Text: "who?"}, dialogue: `
			C: CAPA
			S: +OK
			S: USER
			S: .
			C: USER mrose
			S: -ERR who?`},
		{name: "CAPA fails for now", cleartext: true, want: &pop3.Error{Code: pop3.CodeSysTemp, Text: "later"}, dialogue: `
			C: CAPA
			S: -ERR [SYS/TEMP] later`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Dialogue("S: +OK\n" + test.dialogue)
			c := dial(t, script.Then(pop3test.ExpectHangUp()), func(o *pop3client.Options) {
				o.AllowCleartext = test.cleartext
				if test.change != nil {
					test.change(o)
				}
			})
			err := c.Login(t.Context(), "mrose", "secret")
			var refused, wanted *pop3.Error
			switch {
			case test.want == nil:
				if err != nil || !c.SignedIn() {
					t.Errorf("Login: %v, signed in: %v", err, c.SignedIn())
				}
			case errors.As(test.want, &wanted):
				if !errors.As(err, &refused) || *refused != *wanted || c.SignedIn() {
					t.Errorf("Login: %v, want %v", err, wanted)
				}
			case !errors.Is(err, test.want) || c.SignedIn():
				t.Errorf("Login: %v, want %v", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is in the error: %v", err)
			}
			c.Close()
		})
	}
}

func cramResponse(challenge string) string {
	client := sasl.NewCRAMMD5Client("mrose", "secret")
	if _, _, err := client.Start(); err != nil {
		panic(err)
	}
	response, err := client.Next([]byte(challenge))
	if err != nil {
		panic(err)
	}
	return sasl.EncodeBase64(response)
}

// TestLoginAgain: after a refusal the session is as it was, and USER comes before PASS again (C-034).
func TestLoginAgain(t *testing.T) {
	t.Parallel()
	c := open(t, `
		C: CAPA
		S: +OK
		S: USER
		S: .
		C: USER mrose
		S: +OK
		C: PASS wrong
		S: -ERR [AUTH] no
		C: USER mrose
		S: +OK
		C: PASS secret with spaces
		S: +OK
	`, pop3test.ExpectHangUp())
	if err := c.Login(t.Context(), "mrose", "wrong"); !pop3.IsAuth(err) {
		t.Errorf("first Login: %v, want [AUTH]", err)
	}
	if err := c.Login(t.Context(), "mrose", "secret with spaces"); err != nil {
		t.Errorf("second Login: %v", err)
	}
	if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrState) {
		t.Errorf("third Login: %v, want ErrState", err)
	}
	c.Close()
}

// TestLoginHangUp: some servers hang up on a wrong password.
func TestLoginHangUp(t *testing.T) {
	t.Parallel()
	c := open(t, "C: CAPA\nS: -ERR\nC: USER mrose\nS: +OK\nC: PASS secret", pop3test.Cut())
	err := c.Login(t.Context(), "mrose", "secret")
	var conn *pop3client.ConnError
	if !errors.As(err, &conn) || conn.Op != "PASS" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Login: %v, want a *ConnError for PASS", err)
	}
}

// TestLoginArguments: nothing that would be a command of its own, or that the server could not take, is sent (C-020, C-021,
// C-064).
func TestLoginArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, user, password string }{
		{"CRLF in the password", "mrose", "x\r\nDELE 1"},
		{"LF in the name", "mrose\nDELE 1", "x"},
		{"NUL", "mrose", "x\x00"},
		{"empty name", "", "x"},
		{"empty password", "mrose", ""},
		{"longer than a command", "mrose", strings.Repeat("x", 250)},
		{"longer than 40 octets without CAPA", strings.Repeat("x", 41), "secret"},
		{"outside ASCII", "müller", "secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, "C: CAPA\nS: -ERR", pop3test.ExpectHangUp())
			if err := c.Login(t.Context(), test.user, test.password); !errors.Is(err, pop3client.ErrArgument) {
				t.Errorf("Login: %v, want ErrArgument", err)
			}
			c.Close()
		})
	}
	t.Run("long arguments on demand", func(t *testing.T) {
		t.Parallel()
		user := strings.Repeat("x", 41)
		script := pop3test.Dialogue("S: +OK\nC: CAPA\nS: -ERR\nC: USER " + user + "\nS: +OK\nC: PASS secret\nS: +OK")
		c := dial(t, script, func(o *pop3client.Options) { o.LongArguments = true })
		if err := c.Login(t.Context(), user, "secret"); err != nil {
			t.Errorf("Login: %v", err)
		}
	})
}

// TestTrace: a trace has the dialogue, and never a secret.
func TestTrace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, dialogue string
		login          func(ctx context.Context, c *pop3client.Client) error
	}{
		{"PASS", "C: CAPA\nS: -ERR\nC: USER mrose\nS: +OK\nC: PASS secret\nS: +OK", func(ctx context.Context, c *pop3client.Client) error {
			return c.Login(ctx, "mrose", "secret")
		}},
		{"PLAIN", "C: CAPA\nS: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN " + plainResponse + "\nS: +OK", func(ctx context.Context, c *pop3client.Client) error {
			return c.Login(ctx, "mrose", "secret")
		}},
		{"APOP", "C: APOP mrose 6d19d2a5a09b2dfe9ec0b9a31c1dd1a7\nS: +OK", func(ctx context.Context, c *pop3client.Client) error {
			return c.APOP(ctx, "mrose", "secret")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Dialogue("S: +OK <a@b>\n" + test.dialogue)
			if test.name == "APOP" {
				script[1] = pop3test.Expect("APOP mrose " + sasl.APOPDigest("<a@b>", []byte("secret")))
			}
			var trace strings.Builder
			c := dial(t, script, func(o *pop3client.Options) {
				o.Trace = func(sent bool, line string) { fmt.Fprintln(&trace, sent, line) }
			})
			if err := test.login(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			got := trace.String()
			for _, secret := range []string{"secret", plainResponse, sasl.APOPDigest("<a@b>", []byte("secret"))} {
				if strings.Contains(got, secret) {
					t.Errorf("%q is in the trace:\n%s", secret, got)
				}
			}
			if !strings.Contains(got, "****") || !strings.Contains(got, "false +OK <a@b>") {
				t.Errorf("trace:\n%s", got)
			}
		})
	}
}

// TestPasswordIsNotKept: the buffer that commands are made in holds no password after it was sent.
func TestPasswordIsNotKept(t *testing.T) {
	t.Parallel()
	conn := &keeper{canned: canned{answers: map[string]string{"CAPA": "-ERR\r\n", "USER": "+OK\r\n", "PASS": "+OK\r\n"}, pending: []string{"+OK\r\n"}}}
	c, err := pop3client.NewClient(t.Context(), conn, "h", &pop3client.Options{Security: pop3client.Clear, AllowCleartext: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context(), "mrose", "secret"); err != nil {
		t.Fatal(err)
	}
	if len(conn.written) != 3 {
		t.Fatalf("%d writes, want 3", len(conn.written))
	}
	for _, p := range conn.written {
		if strings.Trim(string(p), "\x00") != "" {
			t.Errorf("%q is still in the buffer", p)
		}
	}
}

// keeper keeps the slices that were written, which no writer should.
type keeper struct {
	canned
	written [][]byte
}

func (k *keeper) Write(p []byte) (int, error) {
	k.written = append(k.written, p)
	return k.canned.Write(p)
}
