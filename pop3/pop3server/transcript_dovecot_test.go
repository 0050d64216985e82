package pop3server_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3test"
)

// TestTranscriptsDovecot plays transcripts to a Dovecot, if there is one: what holds for two servers is hardly a mistake of
// the one who wrote the transcript. Those that are not listed ask for what RFCs leave open and Dovecot 2.3 does otherwise:
// it says +OK without text, takes PASS after USER and CAPA, hangs up after [IN-USE], waits 10 seconds for the lock, gives
// [AUTH] to an unknown mechanism, does not list USER after sign-in, and does not count the line end that it adds to a
// message without one.
func TestTranscriptsDovecot(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"rfc1939-5-transaction", "rfc1939-7-apop", "rfc1939-10-session", "rfc2449-6.6-pipelining", "s060-commands", "s160-pipelining",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := pop3test.LoadTranscript(t, filepath.Join("testdata", name+".txtar"))
			addr := startDovecot(t, tr)
			pop3test.RunTranscript(t, pop3test.Target{Dial: func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}}, tr)
		})
	}
}

// startDovecot starts a Dovecot with what the transcript asks for and returns its address.
func startDovecot(t *testing.T, tr *pop3test.Transcript) string {
	t.Helper()
	settings := "ssl = no\npop3_uidl_format = %f\n"
	if tr.Has("last") {
		settings += "pop3_enable_last = yes\n"
	}
	var users []testpeers.DovecotUser
	for _, a := range tr.Accounts {
		u := testpeers.DovecotUser{Name: a.User, Password: a.Password}
		for _, m := range a.Messages {
			u.Messages, u.UIDs = append(u.Messages, m.Octets), append(u.UIDs, m.UID)
		}
		users = append(users, u)
	}
	return testpeers.StartDovecot(t, settings, users...).POP3
}
