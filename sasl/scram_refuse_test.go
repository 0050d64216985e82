package sasl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postamt/postamt/sasl"
)

// What the server refuses in the client's first message. Each case is one change to the RFC's own message.
func TestScramServerFirst(t *testing.T) {
	t.Parallel()
	exporter := sasl.ChannelBinding{Type: "tls-exporter", Data: []byte("01234567890123456789012345678901")}
	plain := sasl.ScramServerOptions{}
	offered := sasl.ScramServerOptions{PlusOffered: true}
	plus := sasl.ScramServerOptions{PlusOffered: true, Bindings: []sasl.ChannelBinding{exporter}}
	for _, tt := range []struct {
		name, msg string
		opt       sasl.ScramServerOptions
		ok        bool
	}{
		{"as it is", "n,,n=user,r=abc", plain, true},
		{"authorization identity", "n,a=boss,n=user,r=abc", plain, true},
		{"client could bind, nothing offered", "y,,n=user,r=abc", plain, true},
		{"client cannot bind, -PLUS offered", "n,,n=user,r=abc", offered, true},
		{"extension", "n,,n=user,r=abc,x=y", plain, true},
		{"two extensions", "n,,n=user,r=abc,x=y,z=\u00e9", plain, true},
		{"nonce with the edges of what is printable", "n,,n=user,r=!+-~", plain, true},
		{"bound", "p=tls-exporter,,n=user,r=abc", plus, true},

		{"empty", "", plain, false},
		{"no gs2 header", "n=user,r=abc", plain, false},
		{"half a gs2 header", "n,n=user,r=abc", plain, false},
		{"unknown flag", "x,,n=user,r=abc", plain, false},
		{"upper-case flag", "N,,n=user,r=abc", plain, false},
		{"downgrade: -PLUS was offered, client did not see it", "y,,n=user,r=abc", offered, false},
		{"bound, in a mechanism without binding", "p=tls-exporter,,n=user,r=abc", plain, false},
		{"not bound, in a mechanism with binding", "n,,n=user,r=abc", plus, false},
		{"claims no -PLUS, in -PLUS", "y,,n=user,r=abc", plus, false},
		{"unknown type of binding", "p=tls-unique,,n=user,r=abc", plus, false},
		{"no type of binding", "p=,,n=user,r=abc", plus, false},
		{"type of binding with a strange character", "p=tls exporter,,n=user,r=abc", plus, false},
		{"flag with value", "n=x,,n=user,r=abc", plain, false},

		{"empty authorization identity", "n,a=,n=user,r=abc", plain, false},
		{"authorization identity of nothing", "n,a=\u00ad,n=user,r=abc", plain, false},
		{"authorization identity without a=", "n,boss,n=user,r=abc", plain, false},
		{"authorization identity too long", "n,a=" + strings.Repeat("x", sasl.MaxName+1) + ",n=user,r=abc", plain, false},

		{"mandatory extension", "n,,m=x,n=user,r=abc", plain, false},
		{"no name", "n,,r=abc", plain, false},
		{"empty name", "n,,n=,r=abc", plain, false},
		{"name of nothing", "n,,n=\u00ad,r=abc", plain, false},
		{"name with a bare =", "n,,n=us=er,r=abc", plain, false},
		{"name with a lower-case escape", "n,,n=us=2cer,r=abc", plain, false},
		{"name ends in an escape", "n,,n=user=2,r=abc", plain, false},
		{"name with NUL", "n,,n=us\x00er,r=abc", plain, false},
		{"name not UTF-8", "n,,n=us\xffer,r=abc", plain, false},
		{"name too long", "n,,n=" + strings.Repeat("x", sasl.MaxName+1) + ",r=abc", plain, false},
		{"no nonce", "n,,n=user", plain, false},
		{"empty nonce", "n,,n=user,r=", plain, false},
		{"nonce with a space", "n,,n=user,r=a c", plain, false},
		{"nonce beyond ASCII", "n,,n=user,r=\u00e9", plain, false},
		{"wrong order", "n,,r=abc,n=user", plain, false},
		{"comma at the end", "n,,n=user,r=abc,", plain, false},
		{"extension without value", "n,,n=user,r=abc,x", plain, false},
		{"extension with empty value", "n,,n=user,r=abc,x=", plain, false},
		{"extension without letter", "n,,n=user,r=abc,1=y", plain, false},
		{"comma after an extension", "n,,n=user,r=abc,x=y,", plain, false},
		{"message too long", "n,,n=user,r=" + strings.Repeat("x", sasl.MaxMessage), plain, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := scramVectors[1].server(t, tt.opt)
			challenge, done, err := s.Next([]byte(tt.msg))
			if done || tt.ok != (err == nil) || !tt.ok && !errors.Is(err, sasl.ErrMalformed) {
				t.Fatalf("Next = %q, %v, %v; want ok = %v", challenge, done, err, tt.ok)
			}
			if tt.ok && !strings.HasSuffix(string(challenge), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096") {
				t.Errorf("challenge is %q", challenge)
			}
		})
	}
}

func TestScramServerNames(t *testing.T) {
	t.Parallel()
	var authz, user string
	s := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: func(a, u string) (sasl.ScramCredentials, error) {
		authz, user = a, u
		return sasl.FakeScramCredentials(sasl.SHA256, []byte("key"), u, 4096), nil
	}})
	if _, _, err := s.Next([]byte("n,a=a=2Cb=3D2C,n=u\u00adser==3D=2C,r=abc")); !errors.Is(err, sasl.ErrMalformed) {
		t.Errorf("bare = in front of an escape: %v", err)
	}
	s = sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: func(a, u string) (sasl.ScramCredentials, error) {
		authz, user = a, u
		return sasl.FakeScramCredentials(sasl.SHA256, []byte("key"), u, 4096), nil
	}})
	if _, _, err := s.Next([]byte("n,a=a=2Cb=3D2C,n=u\u00adser=3D=2C,r=abc")); err != nil {
		t.Fatal(err)
	}
	if authz != "a,b=2C" || user != "user=," {
		t.Errorf("Lookup(%q, %q), want a,b=2C and user=,", authz, user)
	}
	if a, u := s.Names(); a != authz || u != user {
		t.Errorf("Names() = %q, %q", a, u)
	}
}

// What the server refuses in the client's final message: each attribute of the RFC's own, changed.
func TestScramServerFinal(t *testing.T) {
	t.Parallel()
	v := scramVectors[1]
	change := func(old, repl string) string {
		if !strings.Contains(v.clientFinal, old) {
			t.Fatalf("vector has no %q", old)
		}
		return strings.Replace(v.clientFinal, old, repl, 1)
	}
	for _, tt := range []struct {
		name, msg string
		want      error
	}{
		{"as it is", v.clientFinal, nil},
		{"one bit of the proof", change("p=dHzb", "p=dHzc"), sasl.ErrCredentials},
		{"extension that the proof does not cover", change(",p=", ",x=y,p="), sasl.ErrCredentials},
		{"proof too short", change("AndVQ=", "And"), sasl.ErrMalformed},
		{"proof with bits to spare", change("dVQ=", "dVR="), sasl.ErrMalformed},
		{"proof empty", v.clientFinal[:strings.Index(v.clientFinal, ",p=")+3], sasl.ErrMalformed},
		{"no proof", v.clientFinal[:strings.Index(v.clientFinal, ",p=")], sasl.ErrMalformed},
		{"something after the proof", v.clientFinal + ",x=y", sasl.ErrMalformed},
		{"flag changed to y", change("c=biws", "c=eSws"), sasl.ErrMalformed},
		{"binding data without a binding", change("c=biws", "c=biwsYWJj"), sasl.ErrMalformed},
		{"binding missing", change("c=biws,", ""), sasl.ErrMalformed},
		{"binding empty", change("c=biws", "c="), sasl.ErrMalformed},
		{"binding not base64", change("c=biws", "c=*"), sasl.ErrMalformed},
		{"client's nonce changed", change("r=rOpr", "r=rOps"), sasl.ErrMalformed},
		{"server's nonce changed", change("$k0", "$k1"), sasl.ErrMalformed},
		{"nonce cut", change("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""), sasl.ErrMalformed},
		{"nonce missing", "c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", sasl.ErrMalformed},
		{"wrong order", "r=x,c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", sasl.ErrMalformed},
		{"extension without value", change(",p=", ",x,p="), sasl.ErrMalformed},
		{"comma doubled", change(",p=", ",,p="), sasl.ErrMalformed},
		{"empty", "", sasl.ErrMalformed},
		{"too long", strings.Repeat("c", sasl.MaxMessage+1), sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := v.server(t, sasl.ScramServerOptions{})
			next(t, s, []byte(v.clientFirst), v.serverFirst, false)
			challenge, done, err := s.Next([]byte(tt.msg))
			if done != (tt.want == nil) || (challenge != nil) != done || !errors.Is(err, tt.want) {
				t.Errorf("Next = %q, %v, %v; want %v", challenge, done, err, tt.want)
			}
			if _, done, err := s.Next([]byte(v.clientFinal)); done || !errors.Is(err, sasl.ErrMalformed) {
				t.Errorf("a second try = %v, %v", done, err)
			}
		})
	}
}

func TestScramServerLookupFails(t *testing.T) {
	t.Parallel()
	fault := errors.New("disk on fire")
	good, err := sasl.DeriveScramCredentials(sasl.SHA256, "pencil", []byte("salt"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil func(*sasl.ScramCredentials)
		err   error
	}{
		"error":              {func(*sasl.ScramCredentials) {}, fault},
		"nothing":            {func(c *sasl.ScramCredentials) { *c = sasl.ScramCredentials{} }, nil},
		"no salt":            {func(c *sasl.ScramCredentials) { c.Salt = nil }, nil},
		"no iterations":      {func(c *sasl.ScramCredentials) { c.Iterations = 0 }, nil},
		"key of another":     {func(c *sasl.ScramCredentials) { c.StoredKey = c.StoredKey[:20] }, nil},
		"server key missing": {func(c *sasl.ScramCredentials) { c.ServerKey = nil }, nil},
	} {
		c := good
		tt.spoil(&c)
		s := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{
			Lookup: func(string, string) (sasl.ScramCredentials, error) { return c, tt.err },
		})
		_, _, err := s.Next([]byte("n,,n=user,r=abc"))
		if err == nil || errors.Is(err, sasl.ErrCredentials) || errors.Is(err, sasl.ErrMalformed) || !errors.Is(err, tt.err) && tt.err != nil {
			t.Errorf("%s: %v, want a fault of the system", name, err)
		}
	}
}

// What the client refuses in the server's first message.
func TestScramClientFirst(t *testing.T) {
	t.Parallel()
	v := scramVectors[1]
	change := func(old, repl string) string { return strings.Replace(v.serverFirst, old, repl, 1) }
	for _, tt := range []struct {
		name, msg string
		ok        bool
	}{
		{"as it is", v.serverFirst, true},
		{"extension", v.serverFirst + ",x=y", true},
		{"most iterations", change("i=4096", "i=5000"), true},
		{"one iteration too many", change("i=4096", "i=5001"), false},
		{"too few iterations", change("i=4096", "i=4095"), false},
		{"no iterations", change("i=4096", "i=0"), false},
		{"negative", change("i=4096", "i=-1"), false},
		{"leading zero", change("i=4096", "i=04096"), false},
		{"sign", change("i=4096", "i=+4096"), false},
		{"beyond any integer", change("i=4096", "i=99999999999999999999999"), false},
		{"hexadecimal", change("i=4096", "i=0x1000"), false},
		{"underscore", change("i=4096", "i=4_096"), false},
		{"count empty", change("i=4096", "i="), false},
		{"count missing", change(",i=4096", ""), false},
		{"salt missing", change("s=W22ZaJ0SNY7soEsUEjb6gQ==,", ""), false},
		{"salt empty", change("s=W22ZaJ0SNY7soEsUEjb6gQ==", "s="), false},
		{"salt not base64", change("s=W22Z", "s=!!!!"), false},
		{"mandatory extension", "m=x," + v.serverFirst, false},
		{"other nonce", change("r=rOpr", "r=rOps"), false},
		{"nonce not longer", change("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""), false},
		{"nonce with a control character", change("%hv", "\x01hv"), false},
		{"error instead", "e=unknown-user", false},
		{"empty", "", false},
		{"too long", v.serverFirst + ",x=" + strings.Repeat("y", sasl.MaxMessage), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := sasl.NewScramClient(v.hash, sasl.ScramClientOptions{
				User: "user", Password: "pencil", MaxIterations: 5000, Nonce: func() string { return v.clientNonce },
			})
			if _, _, err := c.Start(); err != nil {
				t.Fatal(err)
			}
			resp, err := c.Next([]byte(tt.msg))
			if tt.ok != (err == nil) || !tt.ok && (resp != nil || !errors.Is(err, sasl.ErrMalformed)) {
				t.Errorf("Next = %q, %v; want ok = %v", resp, err, tt.ok)
			}
			if _, err := c.Next([]byte(v.serverFinal)); !tt.ok && (err == nil || c.Verified()) {
				t.Error("the exchange goes on after its end")
			}
		})
	}
}

// Success without the right v= is no success (RFC 5802 §3).
func TestScramClientFinal(t *testing.T) {
	t.Parallel()
	v := scramVectors[1]
	for _, tt := range []struct {
		name, msg string
		want      error
	}{
		{"as it is", v.serverFinal, nil},
		{"extension", v.serverFinal + ",x=y", nil},
		{"forged", strings.Replace(v.serverFinal, "6rri", "6rrj", 1), sasl.ErrServerProof},
		{"cut", "v=6rri", sasl.ErrServerProof},
		{"empty", "", sasl.ErrMalformed},
		{"empty proof", "v=", sasl.ErrMalformed},
		{"not base64", "v=6rriT", sasl.ErrMalformed},
		{"comma at the end", v.serverFinal + ",", sasl.ErrMalformed},
		{"extension without value", v.serverFinal + ",x", sasl.ErrMalformed},
		{"error", "e=invalid-proof", sasl.ErrCredentials},
		{"first message again", v.serverFirst, sasl.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := v.client()
			if _, _, err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Next([]byte(v.serverFirst)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Next([]byte(tt.msg)); !errors.Is(err, tt.want) || c.Verified() != (tt.want == nil) {
				t.Errorf("Next: %v, Verified %v; want %v", err, c.Verified(), tt.want)
			}
			if _, err := c.Next([]byte(v.serverFinal)); !errors.Is(err, sasl.ErrMalformed) {
				t.Errorf("Next after the end: %v", err)
			}
		})
	}
}

func TestScramClientStart(t *testing.T) {
	t.Parallel()
	nonce := func() string { return "abc" }
	binding := &sasl.ChannelBinding{Type: "tls-exporter", Data: []byte("x")}
	for _, tt := range []struct {
		name     string
		hash     sasl.ScramHash
		opt      sasl.ScramClientOptions
		mech, ir string
	}{
		{"simple", sasl.SHA256, sasl.ScramClientOptions{User: "user", Password: "x"}, "SCRAM-SHA-256", "n,,n=user,r=abc"},
		{"SHA-1", sasl.SHA1, sasl.ScramClientOptions{User: "user", Password: "x"}, "SCRAM-SHA-1", "n,,n=user,r=abc"},
		{
			"escapes", sasl.SHA256,
			sasl.ScramClientOptions{Authz: "a=b", User: "u,=", Password: "x"},
			"SCRAM-SHA-256", "n,a=a=3Db,n=u=2C=3D,r=abc",
		},
		{"prepared", sasl.SHA256, sasl.ScramClientOptions{User: "u\u00adser", Password: "x"}, "SCRAM-SHA-256", "n,,n=user,r=abc"},
		{
			"could bind", sasl.SHA256,
			sasl.ScramClientOptions{User: "user", Password: "x", NoPlusOffered: true},
			"SCRAM-SHA-256", "y,,n=user,r=abc",
		},
		{
			"bound", sasl.SHA256,
			sasl.ScramClientOptions{User: "user", Password: "x", Binding: binding},
			"SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=user,r=abc",
		},
		{
			"bound, SHA-1", sasl.SHA1,
			sasl.ScramClientOptions{User: "user", Password: "x", Binding: binding},
			"SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=user,r=abc",
		},
	} {
		tt.opt.Nonce = nonce
		mech, ir, err := sasl.NewScramClient(tt.hash, tt.opt).Start()
		if mech != tt.mech || string(ir) != tt.ir || err != nil {
			t.Errorf("%s: Start() = %q, %q, %v; want %q, %q", tt.name, mech, ir, err, tt.mech, tt.ir)
		}
	}
	for _, bad := range []sasl.ScramClientOptions{
		{Password: "x"},
		{User: "user"},
		{User: "user", Password: "\x00"},
		{User: "user", Password: strings.Repeat("x", sasl.MaxSecret+1)},
		{User: "\u00ad", Password: "x"},
		{Authz: "\u00ad", User: "user", Password: "x"},
	} {
		c := sasl.NewScramClient(sasl.SHA256, bad)
		if _, _, err := c.Start(); !errors.Is(err, sasl.ErrMalformed) {
			t.Errorf("Start of %.40q: %v, want ErrMalformed", bad.User, err)
		}
		if _, err := c.Next([]byte(scramVectors[1].serverFirst)); !errors.Is(err, sasl.ErrMalformed) {
			t.Errorf("Next without Start: %v", err)
		}
	}
}

func TestScramNoncesDiffer(t *testing.T) {
	t.Parallel()
	start := func() string {
		_, ir, err := sasl.NewScramClient(sasl.SHA256, sasl.ScramClientOptions{User: "user", Password: "x"}).Start()
		if err != nil {
			t.Fatal(err)
		}
		return string(ir)
	}
	first := func() string {
		s := sasl.NewScramServer(sasl.SHA256, sasl.ScramServerOptions{Lookup: fakeLookup})
		challenge, _, err := s.Next([]byte("n,,n=user,r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		return string(challenge)
	}
	if a, b := start(), start(); a == b {
		t.Errorf("two clients sent the same: %q", a)
	}
	if a, b := first(), first(); a == b {
		t.Errorf("two servers sent the same: %q", a)
	}
}

func fakeLookup(_, user string) (sasl.ScramCredentials, error) {
	return sasl.FakeScramCredentials(sasl.SHA256, []byte("0123456789abcdef"), user, 4096), nil
}
