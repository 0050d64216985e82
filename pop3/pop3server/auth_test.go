package pop3server_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3server"
	"github.com/postamt/postamt/sasl"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestUserPass(t *testing.T) { // S-079, S-080, S-081, S-154, S-155
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxFailedAuths = -1 })
	p := s.pipe(t).greeted()
	p.cmd("PASS x", "-ERR send USER first")
	known := p.cmd("USER "+user, "+OK ")
	wrong := p.cmd("PASS wrong", "-ERR [AUTH] ")
	p.cmd("PASS "+password, "-ERR send USER first")
	if unknown := p.cmd("USER nobody", "+OK "); unknown != known {
		t.Errorf("USER: known %q, unknown %q", known, unknown)
	}
	if got := p.cmd("PASS wrong", "-ERR [AUTH] "); got != wrong {
		t.Errorf("PASS: known %q, unknown %q", wrong, got)
	}
	// K-08: the name holds for the next line only, whatever that is.
	for _, between := range []string{"CAPA", "NOOP", "XYZZY", "NOOP \xff", strings.Repeat("x", 13_000)} {
		p.cmd("USER "+user, "+OK ")
		p.send(between + "\r\n")
		if p.want("")[0] == '+' {
			p.lines()
		}
		p.cmd("PASS "+password, "-ERR send USER first")
	}
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS "+password, "+OK maildrop has 3 messages")
	p.quit()
}

func TestAPOP(t *testing.T) { // S-082, S-084, K-09
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.APOP = true; o.MaxFailedAuths = -1; o.MaxBadCommands = -1 })
	p := s.pipe(t)
	g := p.want("+OK ")
	stamp := g[strings.IndexByte(g, '<'):]
	digest := sasl.APOPDigest(stamp, []byte(password))
	for _, bad := range []string{
		"APOP " + user, "APOP " + user + " " + digest[:31], "APOP " + user + " " + digest + "0",
		"APOP " + user + " " + strings.Repeat("g", 32), "APOP " + user + " " + strings.ToUpper(digest) + "A", "APOP  " + digest,
	} {
		p.cmd(bad, "-ERR ")
	}
	wrong := p.cmd("APOP "+user+" "+strings.Repeat("0", 32), "-ERR [AUTH] ")
	if got := p.cmd("APOP nobody "+digest, "-ERR [AUTH] "); got != wrong {
		t.Errorf("known %q, unknown %q", wrong, got)
	}
	p.cmd("USER "+user, "+OK ")
	p.cmd("APOP "+user+" "+digest, "-ERR APOP is not allowed after USER")
	p.cmd("APOP "+user+" "+digest, "+OK ")
	p.quit()

	// After STLS the timestamp is stale; on POP3S it is not.
	p = s.pipe(t)
	g = p.want("+OK ")
	digest = sasl.APOPDigest(g[strings.IndexByte(g, '<'):], []byte(password))
	p.cmd("STLS", "+OK ")
	p.startTLS(nil)
	p.cmd("APOP "+user+" "+digest, "-ERR ")
	p.quit()

	// Off by default (S-121).
	p = start(t, nil).pipe(t)
	if g := p.want("+OK "); strings.Contains(g, "<") {
		t.Errorf("greeting %q", g)
	}
	p.cmd("APOP "+user+" "+digest, "-ERR ")
}

func TestAuthPlain(t *testing.T) { // S-090, S-093, S-094, S-095, S-097, S-098, S-101, S-108
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxFailedAuths = -1; o.MaxBadCommands = -1 })
	p := s.pipe(t).greeted()
	for _, bad := range []string{
		"AUTH PLAIN =", "AUTH PLAIN =AAA", "AUTH PLAIN AAA=BBB", "AUTH PLAIN AA AA", "AUTH PLAIN AAA", "AUTH PLAIN AB==",
		"AUTH PLAIN -_-_", "AUTH PLAIN " + b64("no nul"), "AUTH PLAIN " + b64("\x00\x00pw"), "AUTH PLAIN " + b64("\x00u\x00"),
		"AUTH PLAIN " + b64("\x00u\x00p\x00x"), "AUTH PLAIN ", "AUTH " + strings.Repeat("X", 30),
	} {
		p.cmd(bad, "-ERR ")
	}
	p.cmd("AUTH PLAIN "+b64("\x00"+user+"\x00wrong"), "-ERR [AUTH] ")
	p.cmd("AUTH PLAIN "+b64("Ursel\x00"+user+"\x00"+password), "-ERR [AUTH] ")
	p.send("AUTH plain\r\n")
	if got := p.line(); got != "+ " {
		t.Errorf("empty challenge %q (S-093)", got)
	}
	p.cmd("*", "-ERR sign-in cancelled")
	p.send("AUTH PLAIN\r\n")
	p.line()
	p.cmd("!!!", "-ERR ")
	p.multi("CAPA")
	p.send("AUTH PLAIN\r\n")
	p.line()
	p.cmd(b64("\x00"+user+"\x00"+password), "+OK maildrop has 3")
	p.cmd("AUTH PLAIN "+b64("\x00"+user+"\x00"+password), "-ERR ") // S-091
	p.quit()

	// An initial response may make the line longer than 255 octets (S-100).
	if err := s.mem.AddAccount("long", strings.Repeat("p", 900)); err != nil {
		t.Fatal(err)
	}
	p = s.pipe(t).greeted()
	p.cmd("AUTH PLAIN "+b64("\x00long\x00"+strings.Repeat("p", 900)), "+OK ")
	p.quit()
}

func TestSASLLineLimit(t *testing.T) { // S-099
	t.Parallel()
	p := start(t, func(o *pop3server.Options) { o.MaxPreAuthOctets = -1 }).pipe(t).greeted()
	p.send("AUTH PLAIN\r\n")
	p.line()
	p.sendAsync(strings.Repeat("A", 12286) + "\r\n") // fits, and is no PLAIN message
	p.want("-ERR sign-in failed: malformed")
	p.send("AUTH PLAIN\r\n")
	p.line()
	p.sendAsync(strings.Repeat("A", 1<<20) + "\r\nCAPA\r\n")
	p.want("-ERR command line too long")
	p.want("+OK ")
	p.lines()
	p.quit()
}

func TestAuthLogin(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).greeted()
	p.send("AUTH LOGIN\r\n")
	if got := p.line(); got != "+ "+b64("Username:") {
		t.Errorf("challenge %q", got)
	}
	p.send(b64(user) + "\r\n")
	if got := p.line(); got != "+ "+b64("Password:") {
		t.Errorf("challenge %q", got)
	}
	p.cmd(b64(password), "+OK ")
	p.quit()
	p = s.pipe(t).greeted()
	p.send("AUTH LOGIN " + b64(user) + "\r\n")
	p.line()
	p.cmd(b64("wrong"), "-ERR [AUTH] ")
}

func TestAuthCRAMMD5(t *testing.T) { // S-096, S-120, S-121
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.CRAMMD5 = true })
	p := s.pipe(t).greeted()
	p.cmd("AUTH CRAM-MD5 AAAA", "-ERR ")
	for _, tt := range []struct{ pass, want string }{{"wrong", "-ERR [AUTH] "}, {password, "+OK "}} {
		p.send("AUTH CRAM-MD5\r\n")
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.line(), "+ "))
		if err != nil || challenge[0] != '<' {
			t.Fatalf("challenge %q, %v", challenge, err)
		}
		mac := hmac.New(md5.New, []byte(tt.pass))
		mac.Write(challenge)
		p.cmd(b64(user+" "+hex.EncodeToString(mac.Sum(nil))), tt.want)
	}
	p.quit()
	start(t, nil).pipe(t).greeted().cmd("AUTH CRAM-MD5", "-ERR unknown")
}

// authenticate runs a client's end of a mechanism and returns the last status line.
func (p *peer) authenticate(c sasl.Client) string {
	p.t.Helper()
	mech, ir, err := c.Start()
	if err != nil {
		p.t.Fatal(err)
	}
	line := "AUTH " + mech
	if ir != nil {
		line += " " + sasl.EncodeInitialResponse(ir)
	}
	p.send(line + "\r\n")
	for {
		got := p.line()
		enc, more := strings.CutPrefix(got, "+ ")
		if !more {
			return got
		}
		challenge, err := sasl.DecodeBase64([]byte(enc))
		if err != nil {
			p.t.Fatal(err)
		}
		response, err := c.Next(challenge)
		if err != nil {
			p.send("*\r\n")
			continue
		}
		p.send(sasl.EncodeBase64(response) + "\r\n")
	}
}

func TestAuthSCRAM(t *testing.T) { // S-102, S-103, S-109, S-110, S-111, S-112, S-113
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxFailedAuths = -1 })
	for _, hash := range []sasl.ScramHash{sasl.SHA256, sasl.SHA1} {
		t.Run(hash.Mechanism(false), func(t *testing.T) {
			t.Parallel()
			if err := s.mem.AddAccount(hash.Mechanism(false), password); err != nil {
				t.Fatal(err)
			}
			p := s.pipe(t).greeted()
			for _, tt := range []struct{ user, pass, want string }{
				{hash.Mechanism(false), "wrong", "-ERR [AUTH] "},
				{"nobody", password, "-ERR [AUTH] "},
				{hash.Mechanism(false), password, "+OK "},
			} {
				if got := p.authenticate(sasl.NewScramClient(hash, sasl.ScramClientOptions{User: tt.user, Password: tt.pass})); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s: %q, want %q", tt.user, got, tt.want)
				}
			}
			p.quit()
		})
	}
}

// TestChannelBinding signs in with both bindings over TLS 1.2 and 1.3, and with those of another connection.
func TestChannelBinding(t *testing.T) {
	t.Parallel()
	leaf, err := x509.ParseCertificate(certificate().Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, kind := range []string{sasl.BindingTLSExporter, sasl.BindingTLSServerEndPoint, "of another connection"} {
			t.Run(tls.VersionName(version)+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := start(t, nil)
				p := s.pipe(t).greeted()
				p.cmd("STLS", "+OK ")
				cfg := clientTLS()
				cfg.MinVersion, cfg.MaxVersion = version, version
				state := p.startTLS(cfg).ConnectionState()
				if caps := p.capabilities(); !caps.HasSASL(sasl.ScramSHA256Plus) {
					t.Fatalf("no -PLUS in %v", caps)
				}
				b, err := sasl.TLSExporter(&state)
				if kind == sasl.BindingTLSServerEndPoint {
					b, err = sasl.TLSServerEndPoint(leaf)
				}
				if err != nil {
					t.Fatal(err)
				}
				want := "+OK "
				if kind == "of another connection" {
					b.Data, want = slices.Clone(b.Data), "-ERR "
					b.Data[0] ^= 1
				}
				got := p.authenticate(sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: user, Password: password, Binding: &b}))
				if !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				p.quit()
			})
		}
	}
	// A client that can bind and was not told that we can is being deceived (S-110).
	p := start(t, nil).pipe(t).greeted()
	p.cmd("STLS", "+OK ")
	p.startTLS(nil)
	p.cmd("AUTH SCRAM-SHA-256 "+b64("y,,n="+user+",r=abcdefgh"), "-ERR ")
}

// capabilities asks with CAPA.
func (p *peer) capabilities() (caps pop3.Capabilities) {
	p.t.Helper()
	for _, l := range p.multi("CAPA") {
		c, err := pop3.ParseCapability(l)
		if err == nil {
			err = c.Check() // S-131, S-146
		}
		if err != nil {
			p.t.Error(err)
		}
		caps = append(caps, c)
	}
	return caps
}

func TestCapabilities(t *testing.T) { // S-011, S-130 to S-136, S-141 to S-144, S-175
	t.Parallel()
	always := []string{"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE"}
	s := start(t, func(o *pop3server.Options) { o.Cleartext = pop3server.CleartextNever; o.Implementation = "Test 1.0" })
	check := func(when string, caps pop3.Capabilities, with, without string) {
		t.Helper()
		for _, name := range append(strings.Fields(with), always...) {
			if !caps.Has(name) && !caps.HasSASL(name) {
				t.Errorf("%s: no %s in %v", when, name, caps)
			}
		}
		for _, name := range strings.Fields(without) {
			if caps.Has(name) || caps.HasSASL(name) {
				t.Errorf("%s: %s in %v", when, name, caps)
			}
		}
	}
	p := s.pipe(t).greeted()
	check("in the clear", p.capabilities(), "STLS SCRAM-SHA-256 SCRAM-SHA-1", "USER PLAIN LOGIN SCRAM-SHA-256-PLUS CRAM-MD5 IMPLEMENTATION UTF8 LANG")
	p.cmd("STLS", "+OK ")
	p.startTLS(nil)
	check("after STLS", p.capabilities(), "USER PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS", "STLS CRAM-MD5 IMPLEMENTATION")
	p.cmd("USER "+user, "+OK ")
	p.cmd("PASS "+password, "+OK ")
	caps := p.capabilities()
	check("signed in", caps, "USER PLAIN IMPLEMENTATION", "STLS")
	if impl, _ := caps.Get("IMPLEMENTATION"); !slices.Equal(impl.Params, []string{"Test", "1.0"}) {
		t.Errorf("IMPLEMENTATION %q", impl)
	}
	if days, _, ok := caps.Expire(); days != pop3.Never || !ok {
		t.Errorf("EXPIRE %d", days)
	}
	p.quit()

	s = start(t, func(o *pop3server.Options) {
		o.TLSConfig = nil
		o.CRAMMD5, o.Implementation, o.ImplementationEarly = true, "Test", true
	})
	check("without TLS", s.pipe(t).greeted().capabilities(), "USER PLAIN CRAM-MD5 IMPLEMENTATION", "STLS")
	s = start(t, func(o *pop3server.Options) { o.TLSConfig = new(tls.Config) })
	check("without a certificate", s.pipe(t).greeted().capabilities(), "USER", "STLS")
	s = start(t, func(o *pop3server.Options) {
		o.Cleartext, o.RequireTLS, o.APOP = pop3server.CleartextAlways, true, true
	})
	check("TLS required", s.pipe(t).greeted().capabilities(), "STLS", "USER SASL")
}

func TestAuthList(t *testing.T) { // K-13
	t.Parallel()
	p := start(t, nil).pipe(t).greeted()
	if got, want := p.multi("AUTH"), p.capabilities().SASL(); !slices.Equal(got, want) {
		t.Errorf("AUTH: %q, CAPA: %q", got, want)
	}
	start(t, func(o *pop3server.Options) { o.HideAuthList = true }).pipe(t).greeted().cmd("AUTH", "-ERR ")
}

func TestCleartextPolicy(t *testing.T) { // S-106, S-178, S-179
	t.Parallel()
	far := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}
	near := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
	for _, tt := range []struct {
		policy     pop3server.Cleartext
		from       net.Addr
		requireTLS bool
		pass       bool
		scram      bool
	}{
		{pop3server.CleartextNever, near, false, false, true},
		{pop3server.CleartextNever, far, false, false, true},
		{pop3server.CleartextLoopback, near, false, true, true},
		{pop3server.CleartextLoopback, far, false, false, true},
		{pop3server.CleartextAlways, far, false, true, true},
		{pop3server.CleartextAlways, near, true, false, false},
	} {
		s := start(t, func(o *pop3server.Options) { o.Cleartext, o.RequireTLS = tt.policy, tt.requireTLS })
		p := s.from(t, tt.from).greeted()
		want := map[bool]string{true: "+OK ", false: "-ERR "}
		if got := p.cmd("USER "+user, want[tt.pass]); strings.Contains(got, "[AUTH]") {
			t.Errorf("USER has a response code: %q (S-155)", got)
		}
		if !tt.pass {
			p.cmd("PASS "+password, "-ERR [AUTH] ")
			p.cmd("AUTH PLAIN", "-ERR [AUTH] ")
			p.cmd("AUTH LOGIN", "-ERR [AUTH] ")
		}
		if got := p.authenticate(sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: user, Password: password})); !strings.HasPrefix(got, want[tt.scram]) {
			t.Errorf("%+v: SCRAM: %q", tt, got)
		}
		p.quit()
	}
}

// TestRefusedAfterProof: whom the backend refuses although the password is right is not shown the server's proof, which
// only those get who know the password (RFC 5802 §3). A guess that is refused for any reason tells nothing then.
func TestRefusedAfterProof(t *testing.T) {
	t.Parallel()
	cred, err := sasl.DeriveScramCredentials(sasl.SHA256, password, sasl.NewSalt(), sasl.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	var heard []error
	refuse := true
	s := &stub{list: sizes{}, auth: func(*pop3server.Conn) pop3server.Auth {
		return pop3server.Auth{
			SCRAM: func(context.Context, string, string, string) (sasl.ScramCredentials, pop3server.Identity, error) {
				return cred, pop3server.Identity{User: user}, nil
			},
			Result: func(_ context.Context, mech, who string, err error) error {
				heard = append(heard, err)
				if who != user || mech != sasl.ScramSHA256 {
					t.Errorf("heard of %q with %q", who, mech)
				}
				if refuse {
					return &pop3.Error{Code: pop3.CodeSysTemp, Text: "too many failed sign-ins"}
				}
				return err
			},
		}
	}}
	p := s.serve(t, nil).greeted()
	// exchange goes as far as the proofs and returns the server's answer to that of the client.
	exchange := func(pass string) string {
		c := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: user, Password: pass})
		mech, first, err := c.Start()
		if err != nil {
			t.Fatal(err)
		}
		p.send("AUTH " + mech + " " + sasl.EncodeInitialResponse(first) + "\r\n")
		challenge, err := sasl.DecodeBase64([]byte(strings.TrimPrefix(p.line(), "+ ")))
		if err != nil {
			t.Fatal(err)
		}
		final, err := c.Next(challenge)
		if err != nil {
			t.Fatal(err)
		}
		p.send(sasl.EncodeBase64(final) + "\r\n")
		return p.line()
	}
	for _, pass := range []string{password, "wrong"} {
		if got := exchange(pass); got != "-ERR [SYS/TEMP] too many failed sign-ins" {
			t.Errorf("%s: %q", pass, got)
		}
	}
	refuse = false
	if got := exchange(password); !strings.HasPrefix(got, "+ ") {
		t.Fatalf("%q, want the server's proof", got)
	}
	p.cmd("", "+OK ")
	p.quit()
	if len(heard) != 3 || heard[0] != nil || !errors.Is(heard[1], pop3server.ErrCredentials) || heard[2] != nil {
		t.Errorf("heard %v, want one result of each exchange", heard)
	}
	s.balanced(t)
}

// addrConn has another remote address.
type addrConn struct {
	net.Conn
	from net.Addr
}

func (c addrConn) RemoteAddr() net.Addr { return c.from }

// from is pipe with a remote address.
func (s *testServer) from(t testing.TB, from net.Addr) *peer {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(addrConn{server, from})
	}()
	t.Cleanup(func() { _ = client.Close(); <-done })
	return newPeer(t, client)
}

func TestInUse(t *testing.T) { // S-014, S-016, S-017, S-018, S-151
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).signedIn()
	q := s.pipe(t).greeted()
	q.cmd("USER "+user, "+OK ")
	q.cmd("PASS wrong", "-ERR [AUTH] ")
	q.cmd("USER "+user, "+OK ")
	q.cmd("PASS "+password, "-ERR [IN-USE] ")
	q.cmd("AUTH PLAIN "+b64("\x00"+user+"\x00"+password), "-ERR [IN-USE] ")
	p.quit()
	q.cmd("USER "+user, "+OK ")
	q.cmd("PASS "+password, "+OK ")
	q.quit()
}
