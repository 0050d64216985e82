package pop3client_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

func TestGreeting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, greeting, text string
		want                 error
	}{
		{"with a timestamp", "+OK POP3 server ready <a@b>\r\n", "POP3 server ready <a@b>", nil},
		{"without text", "+OK\r\n", "", nil},
		{"base64 in brackets", "+OK The Microsoft Exchange POP3 service is ready. [QgBM=]\r\n", "The Microsoft Exchange POP3 service is ready. [QgBM=]", nil},
		{"bare LF", "+OK hi\n", "hi", nil},
		{"escape sequence", "+OK \x1b[2J\r\n", "?[2J", nil},
		{"refusal (C-003)", "-ERR [SYS/TEMP] busy\r\n", "", &pop3.Error{Code: pop3.CodeSysTemp, Text: "busy"}},
		{"another protocol", "220 smtp.example.com ESMTP\r\n", "", &pop3.ProtocolError{}},
		{"nothing", "", "", io.ErrUnexpectedEOF},
		{"endless", "+OK " + strings.Repeat("x", 100_000), "", pop3client.ErrTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// The client waits for the greeting, and after a bad one sends nothing (C-002, C-003).
			script := pop3test.Script{pop3test.MayHangUp(), pop3test.Send(test.greeting)}
			switch {
			case test.want == nil, test.want == io.ErrUnexpectedEOF:
				script = script.Then(pop3test.Cut())
			case test.want == pop3client.ErrTooLong:
				script = script.Then(pop3test.Send("\r\n"), pop3test.ExpectHangUp())
			default:
				script = script.Then(pop3test.ExpectHangUp())
			}
			c, err := pop3client.Dial(t.Context(), host, inTheClear(pop3test.NewScriptedPeer(t, script...)))
			var refused, wanted *pop3.Error
			var protocol *pop3.ProtocolError
			switch {
			case test.want == nil:
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if c.Greeting() != test.text {
					t.Errorf("Greeting %q, want %q", c.Greeting(), test.text)
				}
			case errors.As(test.want, &wanted):
				if !errors.As(err, &refused) || *refused != *wanted {
					t.Errorf("Dial: %v, want %v", err, test.want)
				}
			case errors.As(test.want, &protocol):
				if !errors.As(err, &protocol) || protocol.Op != "greeting" {
					t.Errorf("Dial: %v, want a *pop3.ProtocolError", err)
				}
			case !errors.Is(err, test.want):
				t.Errorf("Dial: %v, want %v", err, test.want)
			}
		})
	}
}
