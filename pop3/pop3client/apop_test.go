package pop3client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

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

// TestAPOPRefused: by the server, which is a refusal like others, or here, when the name cannot be sent.
func TestAPOPRefused(t *testing.T) {
	t.Parallel()
	script := pop3test.Dialogue("S: +OK <a@[192.0.2.1]>").Then(pop3test.ExpectFunc(func(line string) (pop3test.Script, error) {
		return pop3test.Script{pop3test.Reply("-ERR [AUTH] permission denied")}, nil
	}), pop3test.ExpectHangUp())
	c := dial(t, script)
	for _, user := range []string{"", "m rose", "mrose\r\nQUIT", strings.Repeat("x", 230)} {
		if err := c.APOP(t.Context(), user, "secret"); !errors.Is(err, pop3client.ErrArgument) {
			t.Errorf("APOP for %.20q: %v, want ErrArgument", user, err)
		}
	}
	if err := c.APOP(t.Context(), "mrose", "secret"); !pop3.IsAuth(err) || c.SignedIn() {
		t.Errorf("APOP: %v, want [AUTH]", err)
	}
	c.Close()
}
