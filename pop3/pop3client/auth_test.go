package pop3client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
	"github.com/postamt/postamt/sasl"
)

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
