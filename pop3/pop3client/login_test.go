package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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

// speak returns the steps of a server's end of mech. After the last challenge it says last.
func speak(mech string, server sasl.Server, last string) pop3test.Step {
	var turn func(response []byte) (pop3test.Script, error)
	turn = func(response []byte) (pop3test.Script, error) {
		challenge, done, err := server.Next(response)
		switch {
		case err != nil:
			return pop3test.Script{pop3test.Reply("-ERR [AUTH] no")}, nil
		case done && challenge == nil:
			return pop3test.Script{pop3test.Reply(last)}, nil
		}
		return pop3test.Script{pop3test.Reply("+ " + sasl.EncodeBase64(challenge)), pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
			if done {
				return pop3test.Script{pop3test.Reply(last)}, nil
			}
			response, err := sasl.DecodeBase64([]byte(line))
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			return turn(response)
		})}, nil
	}
	return pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
		command, rest, _ := strings.Cut(line, " ")
		name, ir, hasIR := strings.Cut(rest, " ")
		if command != "AUTH" || name != mech {
			return nil, fmt.Errorf("got %q, want AUTH %s", line, mech)
		}
		if !hasIR {
			return turn(nil)
		}
		response, err := sasl.DecodeInitialResponse([]byte(ir))
		if err != nil {
			return nil, err
		}
		return turn(response)
	})
}

// scramServer knows mrose and secret.
func scramServer(t *testing.T, hash sasl.ScramHash) *sasl.ScramServer {
	t.Helper()
	credentials, err := sasl.DeriveScramCredentials(hash, "secret", []byte("salt of the sea"), sasl.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	return sasl.NewScramServer(hash, sasl.ScramServerOptions{
		Lookup: func(string, string) (sasl.ScramCredentials, error) { return credentials, nil },
	})
}

func TestLoginSCRAM(t *testing.T) {
	t.Parallel()
	offer := pop3test.Dialogue("S: +OK\nC: CAPA\nS: +OK\nS: SASL PLAIN SCRAM-SHA-1 SCRAM-SHA-256\nS: .")
	t.Run("in the clear", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(speak("SCRAM-SHA-256", scramServer(t, sasl.SHA256), "+OK")), func(o *pop3client.Options) { o.AllowCleartext = false })
		if err := c.Login(t.Context(), "mrose", "secret"); err != nil || !c.SignedIn() {
			t.Errorf("Login: %v", err)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(speak("SCRAM-SHA-256", scramServer(t, sasl.SHA256), "+OK")))
		if err := c.Login(t.Context(), "mrose", "wrong"); !pop3.IsAuth(err) || c.SignedIn() {
			t.Errorf("Login: %v, want [AUTH]", err)
		}
	})
	t.Run("success without the server's proof (C-059)", func(t *testing.T) {
		t.Parallel()
		c := dial(t, offer.Then(pop3test.ExpectFunc(func(string) (pop3test.Script, error) {
			return pop3test.Script{pop3test.Reply("+OK welcome")}, nil
		}), pop3test.ExpectHangUp()))
		if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, pop3client.ErrServerProof) || c.SignedIn() {
			t.Errorf("Login: %v, want ErrServerProof", err)
		}
	})
	t.Run("another server's proof (C-059)", func(t *testing.T) {
		t.Parallel()
		forged := func(response []byte) ([]byte, bool, error) { return []byte("v=" + b64("forged")), true, nil }
		c := dial(t, offer.Then(speak("SCRAM-SHA-256", &swapFinal{Server: scramServer(t, sasl.SHA256), final: forged}, "+OK")))
		if err := c.Login(t.Context(), "mrose", "secret"); !errors.Is(err, sasl.ErrServerProof) || c.SignedIn() {
			t.Errorf("Login: %v, want sasl.ErrServerProof", err)
		}
	})
}

// swapFinal is a server whose last message is another one.
type swapFinal struct {
	sasl.Server
	turns int
	final func([]byte) ([]byte, bool, error)
}

func (s *swapFinal) Next(response []byte) ([]byte, bool, error) {
	s.turns++
	if s.turns == 1 {
		return s.Server.Next(response)
	}
	return s.final(response)
}

// recorder is a mechanism that says what it is told to and remembers the challenges.
type recorder struct {
	mech       string
	ir         []byte
	responses  []string
	challenges []string
}

func (r *recorder) Start() (string, []byte, error) { return r.mech, r.ir, nil }

func (r *recorder) Next(challenge []byte) ([]byte, error) {
	r.challenges = append(r.challenges, string(challenge))
	if len(r.responses) == 0 {
		return nil, errNoResponse
	}
	response := r.responses[0]
	r.responses = r.responses[1:]
	return []byte(response), nil
}

var errNoResponse = errors.New("no response left")

func TestAuth(t *testing.T) {
	t.Parallel()
	const capa = "C: CAPA\nS: +OK\nS: SASL X-TEST\nS: .\n"
	long := strings.Repeat("x", 300)
	for _, test := range []struct {
		name       string
		client     recorder
		twoLines   bool
		dialogue   string
		challenges []string
		ok         bool
	}{
		{
			name: "initial response on the line", client: recorder{ir: []byte("hello")}, ok: true,
			dialogue: capa + "C: AUTH X-TEST aGVsbG8=\nS: +OK",
		},
		{
			name: "empty initial response (C-052)", client: recorder{ir: []byte{}}, ok: true,
			dialogue: capa + "C: AUTH X-TEST =\nS: +OK",
		},
		{
			name: "initial response on a line of its own", client: recorder{ir: []byte("hello")}, twoLines: true, ok: true,
			dialogue: capa + "C: AUTH X-TEST\nS: + \nC: aGVsbG8=\nS: +OK",
		},
		{
			name: "initial response too long for the line (C-051)", client: recorder{ir: []byte(long)}, ok: true,
			dialogue: capa + "C: AUTH X-TEST\nS: + \nC: " + b64(long) + "\nS: +OK",
		},
		{
			name: "SASL not announced (C-050)", client: recorder{ir: []byte("hello")}, ok: true,
			dialogue: "C: CAPA\nS: -ERR\nC: AUTH X-TEST\nS: + \nC: aGVsbG8=\nS: +OK",
		},
		{
			name: "plus without a space (C-054)", client: recorder{ir: []byte("hello")}, twoLines: true, ok: true,
			dialogue: capa + "C: AUTH X-TEST\nS: +\nC: aGVsbG8=\nS: +OK",
		},
		{
			name: "text behind the first plus", client: recorder{ir: []byte("hello")}, twoLines: true, ok: true,
			dialogue: capa + "C: AUTH X-TEST\nS: + go ahead!\nC: aGVsbG8=\nS: +OK",
		},
		{
			name: "+OK in place of the first plus", client: recorder{ir: []byte("hello")}, twoLines: true, ok: true,
			dialogue: capa + "C: AUTH X-TEST\nS: +OK\nC: aGVsbG8=\nS: +OK",
		},
		{
			name: "challenges", client: recorder{responses: []string{"one", "", "three"}}, ok: true,
			dialogue:   capa + "C: AUTH X-TEST\nS: + YQ==\nC: b25l\nS: +\nC: \nS: +Yw==\nC: dGhyZWU=\nS: +OK",
			challenges: []string{"a", "", "c"},
		},
		{
			name: "challenge of 12 KiB (C-055)", client: recorder{responses: []string{"one"}}, ok: true,
			dialogue:   capa + "C: AUTH X-TEST\nS: + " + b64(strings.Repeat("y", 12<<10)) + "\nC: b25l\nS: +OK",
			challenges: []string{strings.Repeat("y", 12<<10)},
		},
		{
			name: "no base64 (C-053)", client: recorder{},
			dialogue: capa + "C: AUTH X-TEST\nS: + !!!\nC: *\nS: -ERR cancelled\nC: NOOP\nS: +OK",
		},
		{
			name: "the mechanism gives up", client: recorder{},
			dialogue:   capa + "C: AUTH X-TEST\nS: + YQ==\nC: *\nS: -ERR cancelled\nC: NOOP\nS: +OK",
			challenges: []string{"a"},
		},
		{
			name: "refused", client: recorder{ir: []byte("hello")},
			dialogue: capa + "C: AUTH X-TEST aGVsbG8=\nS: -ERR no\nC: NOOP\nS: +OK",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.client.mech = "X-TEST"
			c := dial(t, pop3test.Dialogue("S: +OK\n"+test.dialogue).Then(pop3test.ExpectHangUp()),
				func(o *pop3client.Options) { o.NoInitialResponse = test.twoLines })
			err := c.Auth(t.Context(), &test.client)
			if (err == nil) != test.ok || c.SignedIn() != test.ok {
				t.Errorf("Auth: %v, signed in: %v", err, c.SignedIn())
			}
			if !slices.Equal(test.client.challenges, test.challenges) {
				t.Errorf("challenges %q, want %q", test.client.challenges, test.challenges)
			}
			if !test.ok {
				if err := c.Noop(t.Context()); err != nil {
					t.Errorf("NOOP after that: %v", err)
				}
			}
			c.Close()
		})
	}
}

func TestAuthRefusedHere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		client sasl.Client
		want   error
	}{
		{"PLAIN in the clear", sasl.NewPlainClient("", "mrose", "secret"), pop3client.ErrCleartext},
		{"LOGIN in the clear", sasl.NewLoginClient("mrose", "secret"), pop3client.ErrCleartext},
		{"token in the clear", &recorder{mech: "XOAUTH2", ir: []byte("t")}, pop3client.ErrCleartext},
		{"name with a space", &recorder{mech: "PLAIN x"}, pop3client.ErrArgument},
		{"name with CRLF", &recorder{mech: "X\r\nQUIT"}, pop3client.ErrArgument},
		{"no name", &recorder{}, pop3client.ErrArgument},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Script{pop3test.Reply("+OK"), pop3test.ExpectHangUp()}
			c := dial(t, script, func(o *pop3client.Options) { o.AllowCleartext = false })
			if err := c.Auth(t.Context(), test.client); !errors.Is(err, test.want) {
				t.Errorf("Auth: %v, want %v", err, test.want)
			}
			c.Close()
		})
	}
}

func TestAuthWithoutEnd(t *testing.T) {
	t.Parallel()
	script := pop3test.Dialogue("S: +OK\nC: CAPA\nS: -ERR\nC: AUTH X-TEST").Then(pop3test.MayHangUp())
	for range 100 {
		script = script.Then(pop3test.Reply("+ YQ=="), pop3test.Expect("eA=="))
	}
	c := dial(t, script)
	var protocol *pop3.ProtocolError
	client := &recorder{mech: "X-TEST", responses: slices.Repeat([]string{"x"}, 1000)}
	if err := c.Auth(t.Context(), client); !errors.As(err, &protocol) {
		t.Errorf("Auth: %v, want a *pop3.ProtocolError", err)
	}
}

func TestAPOP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, greeting, send string
		want                 error
	}{
		{
			// RFC 1939 §7
			name: "example of the RFC", greeting: "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
			send: "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
		},
		{name: "no timestamp", greeting: "+OK ready", want: pop3client.ErrNoTimestamp},
		{name: "base64 at the end", greeting: "+OK The Microsoft Exchange POP3 service is ready. [QgBM=]", want: pop3client.ErrNoTimestamp},
		{name: "8 bits (C-062)", greeting: "+OK <1896.697170952@dbc.mt\xfciew>", want: pop3client.ErrNoTimestamp},
		{name: "brackets in brackets (C-062)", greeting: "+OK <<x@y>>", want: pop3client.ErrNoTimestamp},
		{name: "two timestamps", greeting: "+OK <a@b> <c@d>", want: pop3client.ErrNoTimestamp},
		{name: "no at-sign", greeting: "+OK <1896.697170952>", want: pop3client.ErrNoTimestamp},
		{name: "two at-signs", greeting: "+OK <a@b@c>", want: pop3client.ErrNoTimestamp},
		{name: "space", greeting: "+OK <a b@c>", want: pop3client.ErrNoTimestamp},
		{name: "empty atom", greeting: "+OK <a..b@c>", want: pop3client.ErrNoTimestamp},
		{name: "open", greeting: "+OK <a@b", want: pop3client.ErrNoTimestamp},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Script{pop3test.Reply(test.greeting)}
			if test.send != "" {
				script = script.Then(pop3test.Expect(test.send), pop3test.Reply("+OK"))
			}
			c := dial(t, script.Then(pop3test.ExpectHangUp()))
			if err := c.APOP(t.Context(), "mrose", "tanstaaf"); !errors.Is(err, test.want) || c.SignedIn() != (err == nil) {
				t.Errorf("APOP: %v, want %v", err, test.want)
			}
			c.Close()
		})
	}
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
