package popd_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/account"
	"github.com/postamt/postamt/internal/popd"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

const (
	wrong    = "-ERR [AUTH] sign-in failed: wrong user name or password"
	disabled = "-ERR [AUTH] this account is disabled; please ask your postmaster"
	inUse    = "-ERR [IN-USE] another session has the maildrop locked"
)

// weak turns on what is off by default.
var weak = settings{
	keep:    account.Keep{Recoverable: true},
	options: func(o *popd.Options) { o.Secret = true },
	server:  func(o *pop3server.Options) { o.APOP, o.CRAMMD5 = true, true },
}

// ways are the ways to sign in; each returns the server's last line.
var ways = map[string]func(c *client, user, password string) string{
	"USER": func(c *client, user, password string) string {
		c.ok("USER " + user)
		return c.do("PASS " + password)
	},
	"APOP": func(c *client, user, password string) string {
		timestamp := c.greeting[strings.IndexByte(c.greeting, '<'):]
		sum := md5.Sum([]byte(timestamp[:strings.IndexByte(timestamp, '>')+1] + password))
		return c.do("APOP " + user + " " + hex.EncodeToString(sum[:]))
	},
	"PLAIN": func(c *client, user, password string) string {
		return c.auth(sasl.NewPlainClient("", user, password))
	},
	"PLAIN as oneself": func(c *client, user, password string) string {
		return c.auth(sasl.NewPlainClient(user, user, password))
	},
	"LOGIN": func(c *client, user, password string) string {
		return c.auth(sasl.NewLoginClient(user, password))
	},
	"CRAM-MD5": func(c *client, user, password string) string {
		return c.auth(sasl.NewCRAMMD5Client(user, password))
	},
	"SCRAM-SHA-1": func(c *client, user, password string) string {
		return c.auth(sasl.NewScramClient(sasl.SHA1, sasl.ScramClientOptions{User: user, Password: password}))
	},
	"SCRAM-SHA-256": func(c *client, user, password string) string {
		return c.auth(sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: user, Password: password}))
	},
}

// Whatever the way: the right password gets in, every wrong one gets the same text, and a disabled account is told so
// only to those who know the password.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, weak)
			o.deliver("Subject: hello\r\n\r\nhello\r\n")
			for _, tt := range []struct{ user, password, want string }{
				{"nobody", "tanstaaf", wrong},
				{"alice", "wrong", wrong},
				{"bob", "wrong", wrong},
				{"bob", "tanstaaf", disabled},
				{"alice", "tanstaaf", "+OK maildrop has 1 message (25 octets)"},
				{"Alice@Example.ORG", "tanstaaf", "+OK maildrop has 1 message (25 octets)"},
			} {
				c := o.connect()
				if got := way(c, tt.user, tt.password); got != tt.want {
					t.Errorf("%s, %s:\n got %s\nwant %s", tt.user, tt.password, got, tt.want)
				}
				c.ok("QUIT")
			}
		})
	}
}

// S-151: only who knows the password hears that the maildrop is locked.
func TestInUse(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, weak)
			first := o.connect().signIn()
			c := o.connect()
			if got := way(c, "alice", "wrong"); got != wrong {
				t.Errorf("locked, wrong password: %s", got)
			}
			if c = o.connect(); way(c, "alice", "tanstaaf") != inUse {
				t.Error("locked, right password: no IN-USE")
			}
			first.ok("QUIT")
			if got := way(o.connect(), "alice", "tanstaaf"); !strings.HasPrefix(got, "+OK") {
				t.Errorf("free again: %s", got)
			}
		})
	}
}

func TestActingAsSomebodyElse(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	if got := o.connect().auth(sasl.NewPlainClient("bob", "alice", "tanstaaf")); got != wrong {
		t.Error(got)
	}
	scram := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{Authz: "bob", User: "alice", Password: "tanstaaf"})
	if got := o.connect().auth(scram); got != wrong {
		t.Error(got)
	}
}

// What is not configured is not offered, and APOP and CRAM-MD5 are not unless asked for.
func TestOffered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		set  settings
		sasl string
		apop bool
	}{
		{"default", settings{}, "SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN", false},
		{"no SCRAM", settings{options: func(o *popd.Options) { o.SCRAM = false }}, "SASL PLAIN LOGIN", false},
		{"weak", weak, "SASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newOffice(t, tt.set).connect()
			if apop := strings.Contains(c.greeting, "<"); apop != tt.apop {
				t.Errorf("greeting: %s", c.greeting)
			}
			c.ok("CAPA")
			for _, line := range c.lines() {
				if strings.HasPrefix(line, "SASL ") && line != tt.sasl {
					t.Errorf(" got %s\nwant %s", line, tt.sasl)
				}
			}
		})
	}
}

func TestThrottled(t *testing.T) {
	t.Parallel()
	const throttled = "-ERR [SYS/TEMP] too many failed sign-ins, please try again later"
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := weak
			set.guard.Throttle, set.guard.Now = account.ThrottleOptions{FreePerAccount: 2}, standing()
			o := newOffice(t, set)
			for _, password := range []string{"a", "b", "c"} {
				if got := way(o.connect(), "alice", password); got != wrong {
					t.Fatalf("%s: %s", password, got)
				}
			}
			if got := way(o.connect(), "alice", "tanstaaf"); got != throttled {
				t.Errorf("after three failures: %s", got)
			}
		})
	}
}

func TestRemovedWhileSigningIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, settings{})
	if err := o.store.Remove(context.Background(), o.alice); err != nil {
		t.Fatal(err)
	}
	c := o.connect()
	c.ok("USER alice")
	c.want("PASS tanstaaf", "-ERR [SYS/PERM] this maildrop was removed")
}

// A fault of the system is never said to be the password's, so that mail programs keep it.
func TestSystemFault(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, weak)
			c := o.connect()
			if err := o.catalog.Close(); err != nil {
				t.Fatal(err)
			}
			if got := way(c, "alice", "tanstaaf"); !strings.HasPrefix(got, "-ERR [SYS/TEMP] internal error, ref ") {
				t.Error(got)
			}
		})
	}
}
