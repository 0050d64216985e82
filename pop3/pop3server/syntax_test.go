package pop3server_test

import (
	"io"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

func TestGreeting(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opt  func(*pop3server.Options)
		want string
	}{
		{"default", nil, "+OK POP3 server ready"},
		{"cut (S-004)", func(o *pop3server.Options) { o.Greeting = strings.Repeat("x", 600) }, "+OK " + strings.Repeat("x", 506)},
		{"no angle brackets (S-006)", func(o *pop3server.Options) { o.Greeting = "hello <there>" }, "+OK hello there"},
		{"no bracket in front (S-007)", func(o *pop3server.Options) { o.Greeting = "[hi]" }, "+OK (hi]"},
		{"one line (S-043)", func(o *pop3server.Options) { o.Greeting = "a\r\n-ERR b" }, "+OK a??-ERR b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := start(t, tt.opt).pipe(t).want("+OK "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAPOPGreetingsDiffer(t *testing.T) { // S-005
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.APOP = true; o.Greeting = strings.Repeat("x", 600) })
	seen := make(map[string]bool)
	for range 1000 {
		p := s.pipe(t)
		g := p.want("+OK ")
		stamp := g[strings.IndexByte(g, '<'):]
		if seen[stamp] || !strings.HasSuffix(stamp, "@mx.example.org>") {
			t.Fatalf("timestamp %q", stamp)
		}
		seen[stamp] = true
		_ = p.nc.Close()
	}
}

// bad are lines that get exactly one -ERR and change nothing.
var badAnywhere = []string{
	"XYZZY", "", " NOOP", "NOOP ", "NOOP x", "LIST\t1", "LIST  1", "LIST ", "LIST 1 ", "STAT 1", "CAPA x", "QUIT now", "RSET 1",
	"RETR", "RETR 0", "RETR x", "RETR -1", "RETR +1", "RETR 1 2", "RETR 4", "RETR 4294967296", "RETR 4294967297",
	"RETR 18446744073709551617", "RETR 99999999999999999999", "DELE", "DELE 0", "UIDL 0", "TOP 1", "TOP 1 -1", "TOP 1  1",
	"USER", "USER ", "USER a b", "USER \xc3\xa9", "USER a\x1b[2J", "USER a\x00b", "PASS", "AUTH ", "AUTH FOOBAR", "APOP", "APOP x",
	"APOP x y z", "STLS x", "NOOP\rNOOP", "NOOP\nNOOP", "\r", strings.Repeat("A", 254), "USER " + strings.Repeat("a", 249),
	strings.Repeat("B", 100_000), "\x16\x03\x01\x02\x00\x01\x00", "GET / HTTP/1.1", "ſtat", "UTF8", "LANG", "XTND XMIT", "*ENV 1",
}

func TestBadCommands(t *testing.T) { // S-010, S-032, S-033, S-035, S-039, S-040, S-043, S-044
	t.Parallel()
	s := start(t, func(o *pop3server.Options) { o.MaxBadCommands = -1; o.MaxPreAuthOctets = -1 })
	t.Run("AUTHORIZATION", func(t *testing.T) {
		t.Parallel()
		p := s.pipe(t).greeted()
		for _, line := range append(badAnywhere, "STAT", "LIST", "UIDL", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 1", "LAST") {
			p.cmd(line, "-ERR ")
		}
		p.quit()
	})
	t.Run("TRANSACTION", func(t *testing.T) {
		t.Parallel()
		s := start(t, func(o *pop3server.Options) { o.MaxBadCommands = -1 })
		p := s.pipe(t).signedIn()
		stat := p.cmd("STAT", "+OK ")
		for _, line := range append(badAnywhere, "USER alice", "PASS x", "APOP a b", "AUTH", "AUTH PLAIN", "STLS") {
			p.cmd(line, "-ERR ")
		}
		if got := p.cmd("STAT", "+OK "); got != stat {
			t.Errorf("STAT: %q, was %q", got, stat)
		}
		p.quit()
	})
}

func TestGoodCommands(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).greeted()
	p.cmd("uSeR "+strings.Repeat("a", 248), "+OK ") // S-030, S-034: 255 octets with CRLF
	p.cmd("USER "+strings.Repeat("a", 40), "+OK ")  // S-037
	p.cmd("user alice", "+OK ")
	p.cmd("pass "+password, "+OK ")
	p.cmd("nOoP", "+OK ")
	p.quit()

	s = start(t, func(o *pop3server.Options) { o.BareLF = true }) // S-033
	p = s.pipe(t).greeted()
	p.send("USER alice\nPASS " + password + "\nNOOP\r\nQUIT\n")
	for range 4 {
		p.want("+OK ")
	}
	p.closed()
}

func TestPasswordKeepsSpaces(t *testing.T) { // S-045
	t.Parallel()
	s := start(t, nil)
	if err := s.mem.AddAccount("bob", " a  b "); err != nil {
		t.Fatal(err)
	}
	p := s.pipe(t).greeted()
	p.cmd("USER bob", "+OK ")
	p.cmd("PASS a  b", "-ERR [AUTH] ")
	p.cmd("USER bob", "+OK ")
	p.cmd("PASS  a  b ", "+OK ")
	p.quit()
}

// TestOctetByOctet sends a session in segments of one octet (S-164).
func TestOctetByOctet(t *testing.T) {
	t.Parallel()
	p := start(t, nil).pipe(t)
	whole := login + "STAT\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n"
	go func() {
		for i := range len(whole) {
			if _, err := io.WriteString(p.nc, whole[i:i+1]); err != nil {
				return
			}
		}
	}()
	p.greeted()
	for range 3 {
		p.want("+OK ")
	}
	p.want("+OK ")
	p.lines()
	p.want("+OK ")
	p.want("+OK ")
	p.closed()
}

// TestTenMegabyteLine: one -ERR, and the session goes on (S-035).
func TestTenMegabyteLine(t *testing.T) {
	t.Parallel()
	p := start(t, nil).pipe(t).signedIn()
	p.sendAsync(strings.Repeat("x", 10<<20) + "\r\nNOOP\r\n")
	p.want("-ERR command line too long")
	p.want("+OK ")
	p.quit()
}

// TestLineWithoutEnd: after 16 MiB it is over.
func TestLineWithoutEnd(t *testing.T) {
	t.Parallel()
	p := start(t, nil).pipe(t).signedIn()
	p.sendAsync(strings.Repeat("x", 17<<20))
	p.want("-ERR command line too long")
	p.closed()
}

// TestCutQuit cuts the session after every octet of "DELE 1, QUIT": only the whole line counts (S-021, S-022).
func TestCutQuit(t *testing.T) {
	t.Parallel()
	tail := "DELE 1\r\nQUIT\r\n"
	for cut := range len(tail) + 1 {
		s := start(t, nil)
		addr := s.tcp(t, false)
		p := dial(t, addr)
		p.send(login + tail[:cut])
		if err := p.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(p.r) // the server closes when it is through
		_ = s.Close()
		want := 3
		if cut == len(tail) {
			want = 2
		}
		if n := s.count(); n != want {
			t.Errorf("cut after %q: %d messages left, want %d", tail[:cut], n, want)
		}
	}
}
