package pop3client_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// TestDovecot collects from a real Dovecot: every sign-in that it offers, every kind of TLS, messages octet for octet, in a
// batch, and deletion.
func TestDovecot(t *testing.T) {
	t.Parallel()
	messages := []string{
		"Subject: small\r\n\r\nHello.\r\n",
		"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
		"Subject: 8 bits\r\n\r\n\xff\xfe\r\n",
		"Subject: one line of 100,000 octets\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
		bigMessage(8 << 20),
	}
	for i := range 200 {
		messages = append(messages, fmt.Sprintf("Subject: number %d\r\n\r\n%s\r\n", i, strings.Repeat(".\r\n", i)))
	}
	alice := testpeers.DovecotUser{Name: "alice", Password: aliceSecret}
	for _, m := range messages {
		alice.Messages = append(alice.Messages, []byte(m))
	}
	d := testpeers.StartDovecot(t, "", alice)
	dial := func(t *testing.T, security pop3client.Security, mech ...string) *pop3client.Client {
		t.Helper()
		opt := &pop3client.Options{
			Security: security, RootCAs: d.Pool, TLSConfig: &tls.Config{ServerName: "localhost"}, Mechanisms: mech, AllowCleartext: true,
		}
		to := d.POP3
		if security == pop3client.TLS {
			to = d.POP3S
		}
		c, err := pop3client.Dial(t.Context(), to, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for _, security := range []pop3client.Security{pop3client.Clear, pop3client.STLS, pop3client.TLS} {
		for _, mech := range []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
			// One after the other, for there is one maildrop and one lock.
			c := dial(t, security, mech)
			if err := c.Login(t.Context(), "alice", "wrong"); !pop3.IsAuth(err) {
				t.Errorf("%s/%s with a wrong password: %v, want [AUTH]", security, mech, err)
			}
			if err := c.Login(t.Context(), "alice", aliceSecret); err != nil {
				t.Errorf("%s/%s: %v", security, mech, err)
			}
			if err := c.Quit(t.Context()); err != nil {
				t.Errorf("%s/%s: Quit: %v", security, mech, err)
			}
		}
	}
	c := dial(t, pop3client.Clear)
	if err := c.APOP(t.Context(), "alice", aliceSecret); err != nil {
		t.Errorf("APOP: %v", err)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Errorf("APOP: Quit: %v", err)
	}

	ctx := t.Context()
	c = dial(t, pop3client.TLS)
	if err := c.Login(ctx, "alice", aliceSecret); err != nil {
		t.Fatal(err)
	}
	var ops []pop3client.Op
	for s, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, pop3client.Op{Num: s.Num, Size: s.Size})
	}
	uids := 0
	for u, err := range c.UIDs(ctx) {
		if err != nil || u.UID == "" {
			t.Fatalf("UIDL: %+v, %v", u, err)
		}
		uids++
	}
	if len(ops) != len(messages) || uids != len(messages) {
		t.Fatalf("%d messages and %d unique-ids, want %d", len(ops), uids, len(messages))
	}
	for r, err := range c.Batch(ctx, slices.Values(ops)) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != messages[r.Op.Num-1] || r.Message.Size != int64(len(b)) {
			t.Errorf("message %d: %d octets (said to be %d), want those delivered (%d)", r.Op.Num, len(b), r.Message.Size, len(messages[r.Op.Num-1]))
		}
	}
	m, err := c.Top(ctx, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(m); string(b) != "Subject: dots\r\n\r\n.\r\n" || err != nil {
		t.Errorf("TOP: %q, %v", b, err)
	}
	if err := c.Dele(ctx, 1); err != nil {
		t.Error(err)
	}
	var refused *pop3.Error
	if _, err := c.Retr(ctx, 1); !errors.As(err, &refused) {
		t.Errorf("RETR of a deleted message: %v", err)
	}
	if err := c.Quit(ctx); err != nil {
		t.Error(err)
	}
	c = dial(t, pop3client.STLS)
	if err := c.Login(ctx, "alice", aliceSecret); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Stat(ctx); err != nil || n != len(messages)-1 {
		t.Errorf("STAT after deletion: %d, %v, want %d", n, err, len(messages)-1)
	}
	if err := c.Quit(ctx); err != nil {
		t.Error(err)
	}
}
