package pop3client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/pop3/pop3server/pop3mem"
)

// office is a running server with the account alice.
type office struct {
	backend  *pop3mem.Backend
	clear    string // address
	tls      string // address
	options  pop3client.Options
	messages []string // what is in alice's maildrop, in wire form
}

const aliceSecret = "looking-glass"

func openOffice(t *testing.T, change ...func(*pop3server.Options)) *office {
	t.Helper()
	config, pool := serverTLS(t, "localhost")
	o := &office{backend: &pop3mem.Backend{Secrets: true}, options: pop3client.Options{
		RootCAs: pool, TLSConfig: &tls.Config{ServerName: "localhost"},
	}}
	if err := o.backend.AddAccount("alice", aliceSecret); err != nil {
		t.Fatal(err)
	}
	opt := pop3server.Options{
		Backend: o.backend, TLSConfig: config, Cleartext: pop3server.CleartextAlways, APOP: true, CRAMMD5: true,
		Hostname: "pop.example.com",
	}
	for _, f := range change {
		f(&opt)
	}
	srv := pop3server.New(opt)
	done := make(chan error, 2)
	listen := func(serve func(net.Listener) error) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- serve(l) }()
		return l.Addr().String()
	}
	o.clear, o.tls = listen(srv.Serve), listen(srv.ServeTLS)
	t.Cleanup(func() {
		srv.Close()
		<-done
		<-done
		if err := srv.Wait(context.Background()); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	return o
}

// deliver puts a message in CRLF form into alice's maildrop.
func (o *office) deliver(t *testing.T, message string) {
	t.Helper()
	if _, err := o.backend.Deliver("alice", []byte(message)); err != nil {
		t.Fatal(err)
	}
	o.messages = append(o.messages, message)
}

// dial connects and does not sign in.
func (o *office) dial(t *testing.T, security pop3client.Security, change ...func(*pop3client.Options)) *pop3client.Client {
	t.Helper()
	opt, addr := o.options, o.clear
	opt.Security = security
	if security == pop3client.TLS {
		addr = o.tls
	}
	for _, f := range change {
		f(&opt)
	}
	c, err := pop3client.Dial(t.Context(), addr, &opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestServerSignIn signs in to a real server in every way, over every kind of connection.
func TestServerSignIn(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	mechanisms := []string{"USER", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}
	for _, security := range []pop3client.Security{pop3client.Clear, pop3client.STLS, pop3client.TLS} {
		for _, mech := range mechanisms {
			if security == pop3client.Clear && strings.HasSuffix(mech, "-PLUS") {
				continue
			}
			for _, password := range []string{aliceSecret, "wrong"} {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					// One after the other, for there is one maildrop and one lock.
					name := fmt.Sprintf("%s/%s/%s/%s", security, mech, password, tls.VersionName(version))
					c := o.dial(t, security, func(opt *pop3client.Options) {
						opt.Mechanisms = []string{mech}
						opt.AllowCleartext = true
						opt.TLSConfig = &tls.Config{ServerName: "localhost", MaxVersion: version}
					})
					err := c.Login(t.Context(), "alice", password)
					if password == aliceSecret && err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if password != aliceSecret && !pop3.IsAuth(err) {
						t.Errorf("%s: %v, want [AUTH]", name, err)
					}
					if err := c.Quit(t.Context()); err != nil {
						t.Errorf("%s: Quit: %v", name, err)
					}
				}
			}
		}
	}
	t.Run("the best by default", func(t *testing.T) {
		var trace strings.Builder
		c := o.dial(t, pop3client.TLS, func(opt *pop3client.Options) {
			opt.Trace = func(_ bool, line string) { trace.WriteString(line + "\n") }
		})
		if err := c.Login(t.Context(), "alice", aliceSecret); err != nil || !strings.Contains(trace.String(), "AUTH SCRAM-SHA-256-PLUS") {
			t.Errorf("Login: %v\n%s", err, trace.String())
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("APOP", func(t *testing.T) {
		c := o.dial(t, pop3client.Clear)
		if err := c.APOP(t.Context(), "alice", "wrong"); !pop3.IsAuth(err) {
			t.Errorf("APOP with a wrong secret: %v", err)
		}
		if err := c.APOP(t.Context(), "alice", aliceSecret); err != nil {
			t.Errorf("APOP: %v", err)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("in use", func(t *testing.T) {
		first, second := o.dial(t, pop3client.TLS), o.dial(t, pop3client.TLS)
		if err := first.Login(t.Context(), "alice", aliceSecret); err != nil {
			t.Fatal(err)
		}
		if err := second.Login(t.Context(), "alice", aliceSecret); !pop3.IsInUse(err) || !pop3.IsTemporary(err) {
			t.Errorf("second Login: %v, want [IN-USE]", err)
		}
		if err := first.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// bigMessage has n octets, lines of all lengths, many of which begin with dots.
func bigMessage(n int) string {
	var b bytes.Buffer
	b.WriteString("Subject: big\r\n\r\n")
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(".", i%4) + strings.Repeat("abcdefghij", i%97) + "\r\n")
	}
	return b.String()
}

// TestServerMessages fetches messages of many kinds octet for octet, one by one and in a batch, and deletes them.
func TestServerMessages(t *testing.T) {
	t.Parallel()
	for _, security := range []pop3client.Security{pop3client.Clear, pop3client.STLS, pop3client.TLS} {
		t.Run(security.String(), func(t *testing.T) {
			t.Parallel()
			o := openOffice(t)
			for _, m := range []string{
				"Subject: small\r\n\r\nHello.\r\n",
				"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
				"Subject: 8 bits\r\n\r\n\xff\xfe\x00\r\n",
				"Subject: one line of 100,000 octets\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
				"no header\r\n",
				bigMessage(8 << 20),
			} {
				o.deliver(t, m)
			}
			for i := range 300 {
				o.deliver(t, fmt.Sprintf("Subject: number %d\r\n\r\n%s\r\n", i, strings.Repeat(".\r\n", i)))
			}
			ctx := t.Context()
			c := o.dial(t, security)
			if err := c.Login(ctx, "alice", aliceSecret); err != nil {
				t.Fatal(err)
			}
			var ops []pop3client.Op
			total := int64(0)
			for s, err := range c.List(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if want := int64(len(o.messages[s.Num-1])); s.Size != want {
					t.Errorf("size of %d: %d, want %d", s.Num, s.Size, want)
				}
				total += s.Size
				ops = append(ops, pop3client.Op{Verb: pop3client.RETR, Num: s.Num, Size: s.Size})
			}
			if n, octets, err := c.Stat(ctx); err != nil || n != len(o.messages) || octets != total {
				t.Errorf("STAT: %d %d, %v", n, octets, err)
			}
			var uids []string
			for u, err := range c.UIDs(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				uids = append(uids, u.UID)
			}
			if want := o.backend.UIDs("alice"); !slices.Equal(uids, want) {
				t.Errorf("UIDs: %q, want %q", uids, want)
			}
			for i, want := range o.messages[:6] {
				m, err := c.Retr(ctx, i+1)
				if err != nil {
					t.Fatal(err)
				}
				h := sha256.New()
				if _, err := io.Copy(h, m); err != nil {
					t.Fatal(err)
				}
				if [32]byte(h.Sum(nil)) != sha256.Sum256([]byte(want)) || m.Size != int64(len(want)) {
					t.Errorf("RETR %d: %d octets (said to be %d), not the message of %d", i+1, m.Octets(), m.Size, len(want))
				}
			}
			m, err := c.Top(ctx, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(m); string(b) != "Subject: dots\r\n\r\n.\r\n" || err != nil {
				t.Errorf("TOP: %q, %v", b, err)
			}
			seen := 0
			for r, err := range c.Batch(ctx, slices.Values(ops)) {
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(r.Message)
				if err != nil {
					t.Fatal(err)
				}
				if string(b) != o.messages[r.Op.Num-1] {
					t.Errorf("message %d of the batch is another one", r.Op.Num)
				}
				seen++
			}
			if seen != len(o.messages) {
				t.Errorf("batch gave %d messages, want %d", seen, len(o.messages))
			}
			for i := range ops {
				ops[i].Verb = pop3client.DELE
			}
			for _, err := range c.Batch(ctx, slices.Values(ops[:len(ops)-1])) {
				if err != nil {
					t.Fatal(err)
				}
			}
			var refused *pop3.Error
			if _, err := c.Retr(ctx, 1); !errors.As(err, &refused) {
				t.Errorf("RETR of a deleted message: %v", err)
			}
			if err := c.Quit(ctx); err != nil {
				t.Fatal(err)
			}
			if left := o.backend.UIDs("alice"); !slices.Equal(left, uids[len(uids)-1:]) {
				t.Errorf("left on the server: %q", left)
			}
		})
	}
}

// TestServerNoQuit: without Quit nothing is deleted, and after Rset neither (C-031).
func TestServerNoQuit(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.deliver(t, "Subject: keep me\r\n\r\n")
	for name, end := range map[string]func(*pop3client.Client) error{
		"Close":         func(c *pop3client.Client) error { return c.Close() },
		"Rset and Quit": func(c *pop3client.Client) error { return errors.Join(c.Rset(t.Context()), c.Quit(t.Context())) },
	} {
		// The lock of a session that was cut is free as soon as the server notices.
		c := o.dial(t, pop3client.TLS)
		err := c.Login(t.Context(), "alice", aliceSecret)
		for pop3.IsInUse(err) {
			c = o.dial(t, pop3client.TLS)
			err = c.Login(t.Context(), "alice", aliceSecret)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Dele(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := end(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(o.backend.UIDs("alice")); n != 1 {
			t.Errorf("%s: %d messages left, want 1", name, n)
		}
	}
}
