package probe_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/internal/testpeers"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3server"
)

const letter = "Message-ID: <1@example.net>\r\nSubject: x\r\n\r\nHello.\r\n.\r\n"

// Our own server has nothing to be ashamed of.
func TestPostamt(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	secure, open := postamt(t, cert, pop3server.Options{Implementation: "Postamt"}, letter, letter+letter)
	r := run(t, probe.Options{
		RootCAs: roots, User: "alice", Password: secret,
		Ports: []probe.PortOption{{Port: secure, Security: "tls"}, {Port: open, Security: "stls"}},
	})
	if got := ids(r); got != "" {
		t.Errorf("quirks: %s", got)
	}
	for i, p := range r.Ports {
		if !p.Usable() || p.Greeting == "" || p.Pipelining != probe.PipeliningWorks || !slices.Contains(p.Mechanisms, "SCRAM-SHA-256") || !slices.Contains(p.Mechanisms, "USER") {
			t.Errorf("%+v", p)
		}
		if (len(p.Clear) > 0) != (i == 1) {
			t.Errorf("port %d: before TLS %v", p.Port, p.Clear)
		}
		if d := p.TLS; d.Version != "TLS 1.3" || !d.PostQuantum || d.KeyExchange != "X25519MLKEM768" || d.Names[0] != "localhost" || d.DaysLeft != 0 ||
			d.Pin != pop3client.PinOf(cert.Leaf).String() || len(d.Chain) != 1 || d.Chain[0].Key != "ECDSA P-256" {
			t.Errorf("%+v", d)
		}
	}
	m := r.Mailbox
	if m == nil || !m.SignedIn || m.Problem != "" || m.Port != secure || m.Messages != 2 || !m.UIDL || m.TOP == nil || !*m.TOP ||
		m.Pipelining != probe.PipeliningWorks || !strings.HasPrefix(m.Mechanism, "SCRAM-SHA-256") || m.Implementation != "Postamt" || m.ExpireDays != nil {
		t.Errorf("%+v", m)
	}
	if r.Best() != &r.Ports[0] {
		t.Errorf("the best is %+v", r.Best())
	}
	if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "sesame") {
		t.Errorf("%s, %v", text, err)
	}
}

// Sign-ins are begun for nothing only if somebody wants that: servers count them as failed, and some lock people out.
func TestMechanismsOnRequest(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	for _, want := range []bool{false, true} {
		f := &fake{greeting: "+OK hello\r\n", answers: goodAnswers(), other: "-ERR what?\r\n", tls: true}
		f.answers["CAPA"] = "+OK list\r\nSASL LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256\r\n.\r\n"
		p := f.serve(t, cert)
		run(t, probe.Options{RootCAs: roots, Mechanisms: want, Ports: []probe.PortOption{{Port: p, Security: "tls"}}})
		if got := strings.Count(f.said(), "AUTH"); got != map[bool]int{true: 3}[want] {
			t.Errorf("%d sign-ins were begun:\n%s", got, f.said())
		}
	}
}

// An empty mailbox shows nothing of TOP.
func TestEmptyMailbox(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	_, open := postamt(t, cert, pop3server.Options{})
	r := run(t, probe.Options{RootCAs: roots, User: "alice", Password: secret, Ports: []probe.PortOption{{Port: open, Security: "stls"}}})
	if m := r.Mailbox; !m.SignedIn || m.Problem != "" || m.TOP != nil || m.Pipelining != probe.PipeliningWorks {
		t.Errorf("%+v", m)
	}
}

// Whether a port speaks TLS at once is found out.
func TestFindsSecurity(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	secure, open := postamt(t, cert, pop3server.Options{})
	r := run(t, probe.Options{RootCAs: roots, Ports: []probe.PortOption{{Port: secure}, {Port: open}}})
	if r.Ports[0].Security != "tls" || r.Ports[1].Security != "stls" || !r.Ports[0].Usable() || !r.Ports[1].Usable() {
		t.Errorf("%+v", r.Ports)
	}
}

// A certificate that is not trusted is shown, and no password goes there.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	secure, open := postamt(t, cert, pop3server.Options{})
	ports := []probe.PortOption{{Port: secure, Security: "tls"}, {Port: open, Security: "stls"}}
	other, _ := certificate(t)
	asked := func(context.Context) (string, error) {
		t.Error("the password was asked for")
		return "open sesame", nil
	}
	for name, tt := range map[string]struct {
		opt  probe.Options
		want string
	}{
		"unknown authority": {probe.Options{RootCAs: x509.NewCertPool()}, "no authority that we trust vouches for it"},
		"another name":      {probe.Options{RootCAs: roots, Host: "127.0.0.1"}, "it is not for this name"},
		"out of date":       {probe.Options{RootCAs: roots, Now: func() time.Time { return time.Now().Add(72 * time.Hour) }}, "it is out of date, or not valid yet"},
		"another pin":       {probe.Options{Pins: []pop3client.Pin{pop3client.PinOf(other.Leaf)}}, "the key is not one of the pins that were given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.opt.Ports, tt.opt.User, tt.opt.Password = ports, "alice", asked
			r := run(t, tt.opt)
			for _, p := range r.Ports {
				if p.Usable() || p.Problem != "" || p.TLS.Problem != tt.want || p.TLS.Pin == "" {
					t.Errorf("%+v %+v", p, p.TLS)
				}
			}
			if m := r.Mailbox; m.SignedIn || !strings.Contains(m.Problem, "not signed in: the certificate") {
				t.Errorf("%+v", m)
			}
			if name == "out of date" && r.Ports[0].TLS.DaysLeft != -3 {
				t.Errorf("%d days left", r.Ports[0].TLS.DaysLeft)
			}
		})
	}
	t.Run("the pin", func(t *testing.T) {
		t.Parallel()
		r := run(t, probe.Options{Ports: ports, User: "alice", Password: secret, Pins: []pop3client.Pin{pop3client.PinOf(cert.Leaf)}})
		if !r.Mailbox.SignedIn {
			t.Errorf("%+v", r.Mailbox)
		}
	})
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	secure, _ := postamt(t, cert, pop3server.Options{})
	wrong := func(context.Context) (string, error) { return "wrong", nil }
	none := func(context.Context) (string, error) { return "", errors.New("there is no terminal") }
	for want, password := range map[string]func(context.Context) (string, error){"-ERR [AUTH]": wrong, "there is no terminal": none} {
		r := run(t, probe.Options{RootCAs: roots, User: "alice", Password: password, Ports: []probe.PortOption{{Port: secure, Security: "tls"}}})
		if m := r.Mailbox; m.SignedIn || !strings.Contains(m.Problem, want) {
			t.Errorf("%+v", m)
		}
	}
}

// What nobody answers is said so, in bounded time.
func TestAway(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	quiet := port(t, silent.Addr())
	r := run(t, probe.Options{Timeout: 200 * time.Millisecond, Ports: []probe.PortOption{
		{Port: quiet, Security: "tls"},
		{Port: quiet, Security: "stls"},
		{Port: quiet},
		{Port: quiet, IMAP: true, Security: "tls"},
		{Port: quiet, IMAP: true, Security: "stls"},
	}})
	for i, p := range r.Ports {
		if !strings.Contains(p.Problem, "did not answer in time") || p.Usable() {
			t.Errorf("%d: %+v", i, p)
		}
	}
	nobody := testpeers.Unanswered(t)
	r = run(t, probe.Options{Ports: []probe.PortOption{{Port: nobody, Security: "tls"}, {Port: nobody}}})
	for i, p := range r.Ports {
		if !strings.Contains(p.Problem, "refused") || p.Usable() {
			t.Errorf("%d: %+v", i, p)
		}
	}
	if r.Best() != nil {
		t.Errorf("the best is %+v", r.Best())
	}
	if _, err := probe.Run(t.Context(), probe.Options{Ports: make([]probe.PortOption, 9)}); !errors.Is(err, probe.ErrPorts) {
		t.Errorf("9 ports: %v", err)
	}
}

// goodAnswers are those of a server of which there is nothing to say.
func goodAnswers() map[string]string {
	return map[string]string{
		"CAPA": "+OK list\r\nTOP\r\nUIDL\r\nUSER\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n",
		"AUTH": "+ \r\n", "*": "-ERR given up\r\n", "QUIT": "+OK bye\r\n", "STLS": "+OK go on\r\n",
		"USER": "+OK\x20go on\r\n", "PASS": "+OK in\r\n", "AHdobwBvcGVuIHNlc2FtZQ==": "+OK in\r\n",
		"AUTH PLAIN AHdobwBvcGVuIHNlc2FtZQ==": "+OK in\r\n",
		"STAT":                                "+OK 1 20\r\n", "LIST": "+OK list\r\n1 20\r\n.\r\n", "UIDL": "+OK list\r\n1 abc\r\n.\r\n",
		"TOP":          "+OK here\r\nSubject: x\r\n\r\n.\r\n",
		"TOP 1 262144": "+OK here\r\nSubject: x\r\n\r\nabcd\r\n.\r\n",
	}
}

// Each quirk is recognised, and nothing else is.
func TestQuirks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*fake)
		want   string
	}{
		{"none", func(*fake) {}, ""},
		{"no CAPA", func(f *fake) { f.answers["CAPA"] = "-ERR what?\r\n" }, "no-capa"},
		{"bare LF", func(f *fake) {
			for k, v := range f.answers {
				f.answers[k] = strings.ReplaceAll(v, "\r\n", "\n")
			}
			f.greeting = "+OK hello\n"
			f.answers["CAPA"] = "+OK list\nTOP\nUIDL\nUSER\nSASL PLAIN\n.\n"
			f.answers["TOP 1 262144"] = "+OK here\r\nSubject: x\r\n\r\nabcd\r\n.\r\n"
		}, "bare-lf"},
		{"no text", func(f *fake) { f.greeting = "+OK\r\n" }, ""}, // as Dovecot has it
		{"small letters", func(f *fake) { f.greeting = "+ok hello\r\n" }, "odd-status"},
		{"a mechanism that is not there", func(f *fake) { f.answers["AUTH PLAIN"] = "-ERR unknown\r\n" }, "mechanism-refused"},
		{"hangs up at AUTH", func(f *fake) { f.answers["AUTH PLAIN"] = "\x00" }, "hangs-up"},
		{"more after sign-in", func(f *fake) {
			f.answers["in CAPA"] = strings.Replace(f.answers["CAPA"], "UIDL", "UIDL\r\nRESP-CODES", 1)
		}, "capa-after"},
		{"less after sign-in", func(f *fake) { f.answers["in CAPA"] = strings.Replace(f.answers["CAPA"], "USER\r\n", "", 1) }, ""},
		{"only one command at a time", func(f *fake) { f.single = true }, "pipelining-broken"},
		{"TOP and UIDL not announced", func(f *fake) { f.answers["CAPA"] = "+OK list\r\nSASL PLAIN\r\n.\r\n" }, "capa-incomplete"},
		{"no UIDL", func(f *fake) { f.answers["UIDL"] = "-ERR what?\r\n" }, "no-uidl"},
		{"no TOP", func(f *fake) { f.answers["TOP"], f.answers["TOP 1 262144"] = "-ERR what?\r\n", "-ERR what?\r\n" }, "no-top"},
		{"empty unique-id", func(f *fake) { f.answers["UIDL"] = "+OK list\r\n1 \r\n.\r\n" }, "uid-odd"},
		{"unique-id used twice", func(f *fake) { f.answers["UIDL"] = "+OK list\r\n1 abc\r\n2 abc\r\n.\r\n" }, "uid-odd"},
		{"wrong size", func(f *fake) { f.answers["TOP 1 262144"] = "+OK here\r\nSubject: x\r\n\r\nabcdefgh\r\n.\r\n" }, "size-wrong"},
		{"wrong sum", func(f *fake) { f.answers["STAT"] = "+OK 1 1024\r\n" }, "size-wrong"},
		{"LOGIN-DELAY", func(f *fake) {
			f.answers["CAPA"] = strings.Replace(f.answers["CAPA"], "UIDL", "UIDL\r\nLOGIN-DELAY 900", 1)
		}, "login-delay"},
		{"EXPIRE", func(f *fake) { f.answers["CAPA"] = strings.Replace(f.answers["CAPA"], "UIDL", "UIDL\r\nEXPIRE 30", 1) }, "expire"},
		{"EXPIRE NEVER", func(f *fake) {
			f.answers["CAPA"] = strings.Replace(f.answers["CAPA"], "UIDL", "UIDL\r\nEXPIRE NEVER", 1)
		}, ""},
		{"EXPIRE 0", func(f *fake) { f.answers["CAPA"] = strings.Replace(f.answers["CAPA"], "UIDL", "UIDL\r\nEXPIRE 0", 1) }, "expire-0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cert, roots := certificate(t)
			f := &fake{greeting: "+OK hello\r\n", answers: goodAnswers(), other: "-ERR what?\r\n", tls: true}
			tt.change(f)
			p := f.serve(t, cert)
			r := run(t, probe.Options{
				RootCAs: roots, User: "who", Password: secret, Ports: []probe.PortOption{{Port: p, Security: "tls"}},
				Mechanisms: strings.Contains(tt.name, "AUTH") || strings.Contains(tt.name, "mechanism"),
			})
			if got := ids(r); got != tt.want {
				t.Errorf("quirks %q, want %q\n%+v\n%+v\nsaid:\n%s", got, tt.want, r.Ports, r.Mailbox, f.said())
			}
			if !r.Mailbox.SignedIn || (r.Mailbox.Problem != "") != (tt.want == "pipelining-broken") {
				t.Errorf("%+v", r.Mailbox)
			}
			said := f.said()
			for _, never := range []string{"RETR", "DELE"} {
				if strings.Contains(said, never) {
					t.Errorf("%s was sent:\n%s", never, said)
				}
			}
			if tt.name == "EXPIRE 0" && (strings.Contains(said, "TOP 1 262144") || strings.HasSuffix(said, "QUIT\n")) {
				t.Errorf("the server may have removed the message:\n%s", said)
			}
		})
	}
}

// A port without TLS is of no use, and what it would take in the clear is said. No password goes out, and nothing that
// tells who we are.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	f := &fake{greeting: "+OK hello <1896.697170952@dbc.mtview.ca.us>\r\n", answers: goodAnswers(), other: "-ERR what?\r\n"}
	r := run(t, probe.Options{RootCAs: roots, User: "who", Password: secret, Ports: []probe.PortOption{{Port: f.serve(t, cert), Security: "stls"}}})
	p := r.Ports[0]
	if p.Problem != "offers no TLS" || p.Security != "none" || !p.APOP || len(p.Clear) != 5 || p.TLS != nil || r.Mailbox.SignedIn || r.Mailbox.Problem != "not signed in: no port has TLS" {
		t.Errorf("%+v %+v", p, r.Mailbox)
	}
	if got := ids(r); got != "cleartext no-stls" {
		t.Errorf("quirks %q", got)
	}
	if said := f.said(); strings.Contains(said, "who") || strings.Contains(said, "AUTH") || strings.Contains(said, "PASS") {
		t.Errorf("said too much:\n%s", said)
	}
}

// With STLS, all of it goes over TLS.
func TestSTLS(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	f := &fake{greeting: "+OK hello\r\n", answers: goodAnswers(), other: "-ERR what?\r\n"}
	f.answers["CAPA"] = "+OK list\r\nUIDL\r\nTOP\r\nSTLS\r\nSASL PLAIN\r\nIMPLEMENTATION Some \x1b[2JServer\r\n.\r\n"
	r := run(t, probe.Options{RootCAs: roots, User: "who", Password: secret, Ports: []probe.PortOption{{Port: f.serve(t, cert), Security: "stls"}}})
	p := r.Ports[0]
	if !p.Usable() || p.Pipelining != probe.PipeliningNone || strings.Contains(p.Implementation, "\x1b") || !r.Mailbox.SignedIn || r.Mailbox.Mechanism != "PLAIN" {
		t.Errorf("%+v %+v", p, r.Mailbox)
	}
	if got := ids(r); got != "cleartext" {
		t.Errorf("quirks %q", got)
	}
}

// Servers that say too much, or nonsense, or refuse to talk.
func TestStrangeServers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		f    *fake
		want string
	}{
		"not POP3":             {&fake{greeting: "220 smtp.example.net ESMTP\r\n"}, "neither +OK nor -ERR"},
		"hangs up":             {&fake{greeting: "+OK hi\r\n", other: "\x00"}, "hung up"},
		"refuses to talk":      {&fake{greeting: "-ERR [SYS/TEMP] too many\r\n"}, "-ERR [SYS/TEMP] too many"},
		"a long greeting":      {&fake{greeting: "+OK " + strings.Repeat("x", 70_000) + "\r\n"}, "longer than"},
		"a list for ever":      {&fake{greeting: "+OK hi\r\n", answers: map[string]string{"CAPA": "+OK\r\n" + strings.Repeat("XYZ abc\r\n", 1<<18)}}, "longer than"},
		"control characters":   {&fake{greeting: "-ERR \x1b[2J\x07go away\r\n"}, "go away"},
		"a status that is odd": {&fake{greeting: "+OK hi\r\n", other: "hello\r\n"}, "neither +OK nor -ERR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, roots := certificate(t)
			f := tt.f
			f.tls = true
			r := run(t, probe.Options{RootCAs: roots, Ports: []probe.PortOption{{Port: f.serve(t, cert), Security: "tls"}}})
			p := r.Ports[0]
			if !strings.Contains(p.Problem, tt.want) || strings.ContainsAny(p.Problem, "\x1b\x07") || len(p.Problem) > 1000 || p.TLS == nil {
				t.Errorf("%+v, want %q", p, tt.want)
			}
		})
	}
}

func TestIMAP(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t)
	answers := map[string]string{
		"a1": "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n", "a2": "a2 OK begin\r\n",
		"b1": "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 IDLE\r\nb1 OK done\r\n", "b2": "* BYE\r\nb2 OK bye\r\n",
	}
	secure := &fake{greeting: "* OK [CAPABILITY IMAP4rev1] hi\r\n", answers: answers, tls: true}
	open := &fake{greeting: "* OK hi\r\n", answers: answers}
	plain := &fake{greeting: "* OK hi\r\n", answers: map[string]string{"a1": "* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"}}
	ports := []probe.PortOption{
		{Port: secure.serve(t, cert), IMAP: true}, {Port: open.serve(t, cert), IMAP: true, Security: "stls"}, {Port: plain.serve(t, cert), IMAP: true, Security: "stls"},
	}
	for greeting, want := range map[string]string{
		"+OK pop\r\n":                                 "does not speak IMAP",
		"* BYE busy\r\n":                              "does not speak IMAP",
		strings.Repeat("x", 9000) + "\r\n":            "a line is too long",
		"* OK hi\r\na1 NO\r\n":                        "refuses CAPABILITY",
		"* OK\x20hi\r\n* X\r\na1 OK\r\n":              "CAPABILITY lists nothing",
		"* OK hi\r\n" + strings.Repeat("* X\r\n", 60): "CAPABILITY has no end",
	} {
		f := &fake{greeting: greeting, answers: map[string]string{}}
		r := run(t, probe.Options{RootCAs: roots, Ports: []probe.PortOption{{Port: f.serve(t, cert), IMAP: true, Security: "stls"}}})
		if !strings.Contains(r.Ports[0].Problem, want) {
			t.Errorf("%.20q: %+v", greeting, r.Ports[0])
		}
	}
	r := run(t, probe.Options{RootCAs: roots, Ports: ports})
	for i, p := range r.Ports[:2] {
		if !p.Usable() || p.Protocol != "imap" || strings.Join(p.Mechanisms, " ") != "PLAIN XOAUTH2" || (len(p.Clear) > 0) != (i == 1) {
			t.Errorf("%+v", p)
		}
	}
	if p := r.Ports[2]; p.Usable() || p.Problem != "offers no TLS" || p.Security != "none" {
		t.Errorf("%+v", p)
	}
	if r.Best() != nil {
		t.Errorf("IMAP is no port to fetch from: %+v", r.Best())
	}
}
