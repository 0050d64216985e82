package testpeers

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

const farPassword = "correct horse"

// A far is a real server as the tests see it.
type far struct {
	name  string
	start func(t testing.TB, users ...MailUser) *MailServer
	// login returns the name that a user signs in with.
	login func(user string) string
	// signIns are all that the server offers and we know, in the clear and over TLS; unknown are those that we do not know.
	signIns, unknown map[wire][]string
	// unbound: over TLS the server offers channel binding that cannot work, and the other ways must be named.
	unbound bool
	noCode  bool // does not say [AUTH] of a wrong password
	// served takes away what the server itself puts into a message.
	served func([]byte) []byte
	sizes  bool // LIST gives the octets that RETR sends
	// top is what TOP n 1 sends behind the header of a message whose first line is a dot, where that is wrong.
	top string
}

func same(user string) string { return user }
func asIs(m []byte) []byte    { return m }

// strong are the ways to sign in of a server that knows passwords as they are.
var strong = []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}

// After STLS there is no APOP: a timestamp from before TLS could be anybody's, and is forgotten (RFC 2595 §4).
var servers = []far{
	{
		name: "Dovecot", start: startDovecotServer, login: same, served: asIs, sizes: true,
		signIns: map[wire][]string{clear: append(strong, "APOP"), stls: strong, pop3s: append(strong, "APOP")},
	},
	{
		name: "Courier", start: StartCourier, login: same, served: asIs, sizes: true, noCode: true,
		signIns: map[wire][]string{
			clear: {"USER", "PLAIN", "LOGIN", "CRAM-MD5"}, stls: {"USER", "PLAIN", "LOGIN"}, pop3s: {"USER", "PLAIN", "LOGIN"},
		},
		unknown: map[wire][]string{clear: {"CRAM-SHA1", "CRAM-SHA256"}},
	},
	{
		name: "Cyrus", start: StartCyrus, login: same, served: asIs, sizes: true, unbound: true,
		signIns: map[wire][]string{clear: append(strong, "APOP"), stls: strong, pop3s: append(strong, "APOP")},
		// It binds to tls-unique alone, which TLS 1.3 does not have (RFC 9266 §1).
		unknown: map[wire][]string{
			clear: {"DIGEST-MD5"}, stls: {"DIGEST-MD5", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"},
			pop3s: {"DIGEST-MD5", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"},
		},
	},
	{
		name: "Mailutils", start: StartMailutils, login: func(user string) string { return user + "@box" }, served: withoutUIDL,
		signIns: map[wire][]string{clear: {"USER", "APOP"}, stls: {"USER"}, pop3s: {"USER", "APOP"}},
		top:     "\r\n.\r\n", // one empty line too many between header and body
	},
}

var uidl = regexp.MustCompile(`(?m)^X-UIDL: [^\r\n]*\r?\n`)

// withoutUIDL takes away the line that Mailutils puts at the end of a header.
func withoutUIDL(m []byte) []byte {
	if loc := uidl.FindIndex(m); loc != nil {
		return slices.Concat(m[:loc[0]], m[loc[1]:])
	}
	return m
}

func startDovecotServer(t testing.TB, users ...MailUser) *MailServer {
	t.Helper()
	var all []DovecotUser
	for _, u := range users {
		all = append(all, DovecotUser{Name: u.Name, Password: u.Password, Messages: u.Messages})
	}
	d := StartDovecot(t, "", all...)
	return &MailServer{POP3: d.POP3, POP3S: d.POP3S, CA: d.CA, Pool: d.Pool, dir: d.dir}
}

// dial connects to a server in one of the ways, with one way to sign in.
func (s *MailServer) dial(t *testing.T, w wire, mech string) *pop3client.Client {
	t.Helper()
	opt := &pop3client.Options{RootCAs: s.Pool, TLSConfig: &tls.Config{ServerName: "localhost"}, AllowCleartext: true}
	if mech != "" && mech != "APOP" {
		opt.Mechanisms = []string{mech}
	}
	to := s.POP3
	switch w {
	case clear:
		opt.Security = pop3client.Clear
	case stls:
		opt.Security = pop3client.STLS
	case pop3s:
		opt.Security, to = pop3client.TLS, s.POP3S
	}
	c, err := pop3client.Dial(t.Context(), to, opt)
	if err != nil {
		t.Fatalf("%s: %v", w, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func signIn(t *testing.T, c *pop3client.Client, mech, user, password string) error {
	t.Helper()
	if mech == "APOP" {
		return c.APOP(t.Context(), user, password)
	}
	return c.Login(t.Context(), user, password)
}

// TestSignIn signs in at every real server in every way that it offers, over every kind of connection, and knows all that
// it offers.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, f := range servers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := f.start(t, MailUser{Name: "bob", Password: farPassword})
			user := f.login("bob")
			for _, w := range []wire{clear, stls, pop3s} {
				c := s.dial(t, w, "")
				capa, err := c.Capa(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, mech := range capa.SASL() {
					if !slices.Contains(f.signIns[w], mech) && !slices.Contains(f.unknown[w], mech) {
						t.Errorf("%s: the server offers %s, which is in no list here", w, mech)
					}
				}
				if w == pop3s { // once is enough: some servers are slow to refuse
					err := c.Login(t.Context(), user, "wrong")
					var refused *pop3.Error
					if !errors.As(err, &refused) || pop3.IsAuth(err) == f.noCode {
						t.Errorf("a wrong password: %v", err)
					}
				}
				c.Close()
				for _, mech := range f.signIns[w] { // one after the other, for there is one maildrop and one lock
					c := s.dial(t, w, mech)
					if err := signIn(t, c, mech, user, farPassword); err != nil {
						t.Errorf("%s/%s: %v", w, mech, err)
						continue
					}
					if n, _, err := c.Stat(t.Context()); n != 0 || err != nil {
						t.Errorf("%s/%s: STAT: %d, %v", w, mech, n, err)
					}
					if err := c.Quit(t.Context()); err != nil {
						t.Errorf("%s/%s: QUIT: %v", w, mech, err)
					}
				}
			}
		})
	}
}

// TestTransaction runs every command of pop3client on every real server: listings, unique-ids, headers, a pipelined batch
// whose messages are the same to the octet, deletion.
func TestTransaction(t *testing.T) {
	t.Parallel()
	dots := "Subject: dots\r\nMessage-ID: <dots@example.org>\r\n\r\n.\r\n..\r\n...\r\n.x\r\n"
	messages := []string{dots, "Subject: 8 bits\r\n\r\nGr\xfc\xdfe\r\n", "Subject: long\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n"}
	for i := range 200 {
		messages = append(messages, fmt.Sprintf("Subject: number %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n", i, i, strings.Repeat(".\r\n", i)))
	}
	bob := MailUser{Name: "bob", Password: farPassword}
	for _, m := range messages {
		bob.Messages = append(bob.Messages, []byte(m))
	}
	for _, f := range servers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := f.start(t, bob)
			c := s.dial(t, stls, "USER")
			must(t, c.Login(ctx, f.login("bob"), farPassword))
			var ops []pop3client.Op
			sizes := map[int]int64{}
			for m, err := range c.List(ctx) {
				must(t, err)
				ops = append(ops, pop3client.Op{Num: m.Num, Size: m.Size})
				sizes[m.Num] = m.Size
			}
			uids := map[string]bool{}
			for u, err := range c.UIDs(ctx) {
				must(t, err)
				uids[u.UID] = true
			}
			if len(ops) != len(messages) || len(uids) != len(messages) || uids[""] {
				t.Fatalf("%d messages, %d unique-ids, want %d", len(ops), len(uids), len(messages))
			}
			for r, err := range c.Batch(ctx, slices.Values(ops)) {
				must(t, err)
				b, err := io.ReadAll(r.Message)
				must(t, err)
				if f.sizes && sizes[r.Op.Num] != int64(len(b)) {
					t.Errorf("message %d: %d octets, listed as %d", r.Op.Num, len(b), sizes[r.Op.Num])
				}
				if got := f.served(b); string(got) != messages[r.Op.Num-1] {
					t.Errorf("message %d: %.200q, want %.200q", r.Op.Num, got, messages[r.Op.Num-1])
				}
			}
			header := "Subject: dots\r\nMessage-ID: <dots@example.org>\r\n\r\n"
			for lines, want := range []string{header, header + cmp.Or(f.top, ".\r\n")} {
				m, err := c.Top(ctx, 1, lines)
				must(t, err)
				b, err := io.ReadAll(m)
				if got := string(f.served(b)); err != nil || got != want {
					t.Errorf("TOP 1 %d: %q, %v, want %q", lines, got, err, want)
				}
			}
			must(t, c.Dele(ctx, 1))
			var refused *pop3.Error
			if _, err := c.Retr(ctx, 1); !errors.As(err, &refused) {
				t.Errorf("RETR of a deleted message: %v", err)
			}
			if _, err := c.Retr(ctx, len(messages)+1); !errors.As(err, &refused) {
				t.Errorf("RETR of a message that is not there: %v", err)
			}
			must(t, c.Noop(ctx))
			must(t, c.Rset(ctx))
			var deletions []pop3client.Op
			for num := 2; num <= len(messages); num++ {
				deletions = append(deletions, pop3client.Op{Verb: pop3client.DELE, Num: num})
			}
			for _, err := range c.Batch(ctx, slices.Values(deletions)) {
				must(t, err)
			}
			must(t, c.Quit(ctx))
			s.WantLeft(t, f.login("bob"), farPassword, 1)
		})
	}
}
