package pop3client_test

import (
	"context"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inTheClear are the options of most tests: a connection in the clear on which passwords may be sent.
func inTheClear(peer *pop3test.ScriptedPeer) *pop3client.Options {
	opt := &pop3client.Options{Security: pop3client.Clear, AllowCleartext: true}
	if peer != nil {
		opt.DialContext = peer.DialContext
	}
	return opt
}

// open returns a session with a peer that says +OK and then plays the dialogue.
func open(t *testing.T, dialogue string, more ...pop3test.Step) *pop3client.Client {
	t.Helper()
	return dial(t, pop3test.Dialogue("S: +OK ready").Then(pop3test.Dialogue(dialogue)...).Then(more...))
}

func dial(t *testing.T, script pop3test.Script, change ...func(*pop3client.Options)) *pop3client.Client {
	t.Helper()
	opt := inTheClear(pop3test.NewScriptedPeer(t, script...))
	for _, f := range change {
		f(opt)
	}
	c, err := pop3client.Dial(t.Context(), "pop.example.com", opt)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// session does everything that a collector does, and returns the message it got and the first error.
func session(ctx context.Context, opt *pop3client.Options) (message string, whole bool, err error) {
	c, err := pop3client.Dial(ctx, "pop.example.com", opt)
	if err != nil {
		return "", false, err
	}
	defer c.Close()
	if err := c.Login(ctx, "mrose", "secret"); err != nil {
		return "", false, err
	}
	if _, _, err := c.Stat(ctx); err != nil {
		return "", false, err
	}
	for _, err := range c.List(ctx) {
		if err != nil {
			return "", false, err
		}
	}
	for _, err := range c.UIDs(ctx) {
		if err != nil {
			return "", false, err
		}
	}
	m, err := c.Retr(ctx, 1)
	if err != nil {
		return "", false, err
	}
	b, err := io.ReadAll(m)
	if err != nil {
		return string(b), false, err
	}
	if err := c.Dele(ctx, 1); err != nil {
		return string(b), true, err
	}
	return string(b), true, c.Quit(ctx)
}

// sessionMessage is the message in sessionScript.
const sessionMessage = "Subject: dots\r\n\r\n.\r\n..\r\nbye\r\n"

var sessionScript = pop3test.Dialogue(`
	S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
	C: CAPA
	S: +OK Capability list follows
	S: USER
	S: UIDL
	S: .
	C: USER mrose
	S: +OK mrose is a real hoopy frood
	C: PASS secret
	S: +OK mrose's maildrop has 2 messages (320 octets)
	C: STAT
	S: +OK 2 320
	C: LIST
	S: +OK 2 messages (320 octets)
	S: 1 120
	S: 2 200
	S: .
	C: UIDL
	S: +OK
	S: 1 whqtswO00WBw418f9t5JxYwZ
	S: 2 QhdPYR:00WBw1Ph7x7
	S: .
	C: RETR 1
	S: +OK 120 octets
	S: Subject: dots
	S:
	S: ..
	S: ...
	S: bye
	S: .
	C: DELE 1
	S: +OK message 1 deleted
	C: QUIT
	S: +OK dewey POP3 server signing off (1 message left)
`)

// never is a stall that is longer than any timer of the client.
const never = 24 * time.Hour
