package pop3server_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postamt/postamt/pop3/pop3server"
)

func octets(msgs ...string) (n int) {
	for _, m := range msgs {
		n += len(m)
	}
	return n
}

func TestStatAndList(t *testing.T) { // S-063, S-064, S-066
	t.Parallel()
	p := start(t, nil).pipe(t).signedIn()
	want := "+OK 3 " + strconv.Itoa(octets(mail...))
	if got := p.cmd("STAT", "+OK "); got != want {
		t.Errorf("STAT: %q, want %q", got, want)
	}
	var scans []string
	for i, m := range mail {
		scans = append(scans, strconv.Itoa(i+1)+" "+strconv.Itoa(len(m)))
	}
	if got := p.multi("LIST"); !slices.Equal(got, scans) {
		t.Errorf("LIST: %q, want %q", got, scans)
	}
	if got := p.cmd("LIST 2", "+OK "); got != "+OK "+scans[1] {
		t.Errorf("LIST 2: %q", got)
	}
	p.quit()
}

func TestEmptyMaildrop(t *testing.T) { // S-065
	t.Parallel()
	s := start(t, nil)
	if err := s.mem.AddAccount("empty", password); err != nil {
		t.Fatal(err)
	}
	p := s.pipe(t).greeted()
	p.cmd("USER empty", "+OK ")
	p.cmd("PASS "+password, "+OK maildrop has 0 messages (0 octets)")
	for _, c := range []string{"LIST", "UIDL"} {
		if got := p.multi(c); len(got) != 0 {
			t.Errorf("%s: %q", c, got)
		}
	}
	p.cmd("STAT", "+OK 0 0")
	p.cmd("LIST 1", "-ERR no such message, only 0 messages")
	p.quit()
}

func TestRetr(t *testing.T) { // S-041, S-051, S-067
	t.Parallel()
	s := start(t, nil)
	odd := []string{"", "a", "a\n.\nb", ".\n", "a\rb\r\n", "\x00\n", strings.Repeat("x", 200_000) + "\n.y"}
	shown := []string{"", "a\r\n", "a\r\n.\r\nb\r\n", ".\r\n", "a\rb\r\n", "\x00\r\n", strings.Repeat("x", 200_000) + "\r\n.y\r\n"}
	for _, m := range odd {
		if _, err := s.mem.Deliver(user, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	p := s.pipe(t).signedIn()
	for i, want := range append(slices.Clone(mail), shown...) {
		num := strconv.Itoa(i + 1)
		if got := p.body("RETR " + num); got != want {
			t.Errorf("RETR %s: %d octets, want %d", num, len(got), len(want))
		}
		if got, want := p.cmd("LIST "+num, "+OK "), "+OK "+num+" "+strconv.Itoa(len(want)); got != want {
			t.Errorf("LIST %s: %q, want %q", num, got, want)
		}
	}
	p.quit()
}

func TestDeleAndRset(t *testing.T) { // S-012, S-069, S-071
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).signedIn()
	stat := p.cmd("STAT", "+OK ")
	p.cmd("DELE 1", "+OK message 1 deleted")
	for _, c := range []string{"LIST 1", "RETR 1", "TOP 1 0", "UIDL 1", "DELE 1"} {
		p.cmd(c, "-ERR message 1 already deleted")
	}
	if got := p.multi("LIST"); len(got) != 2 || !strings.HasPrefix(got[0], "2 ") {
		t.Errorf("LIST after DELE 1: %q", got)
	}
	if got := p.multi("UIDL"); len(got) != 2 || !strings.HasPrefix(got[0], "2 ") {
		t.Errorf("UIDL after DELE 1: %q", got)
	}
	p.cmd("STAT", "+OK 2 "+strconv.Itoa(octets(mail[1:]...)))
	p.cmd("RSET", "+OK maildrop has 3 messages")
	if got := p.cmd("STAT", "+OK "); got != stat {
		t.Errorf("STAT after RSET: %q, want %q", got, stat)
	}
	p.quit()
	if n := s.count(); n != 3 {
		t.Errorf("%d messages left, want 3", n)
	}
}

func TestQuitRemoves(t *testing.T) { // S-061
	t.Parallel()
	s := start(t, nil)
	before := s.mem.UIDs(user)
	p := s.pipe(t).signedIn()
	p.cmd("DELE 2", "+OK ")
	p.cmd("QUIT", "+OK goodbye, 2 messages left")
	p.closed()
	if got := s.mem.UIDs(user); !slices.Equal(got, []string{before[0], before[2]}) {
		t.Errorf("left %q of %q", got, before)
	}
}

func TestUIDL(t *testing.T) { // S-074, S-076
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).signedIn()
	first := p.multi("UIDL")
	for i, l := range first {
		if !regexp.MustCompile(`^` + strconv.Itoa(i+1) + ` [\x21-\x7e]{1,70}$`).MatchString(l) {
			t.Errorf("UIDL line %q", l)
		}
		if got := p.cmd("UIDL "+strconv.Itoa(i+1), "+OK "); got != "+OK "+l {
			t.Errorf("UIDL %d: %q, want %q", i+1, got, l)
		}
	}
	p.quit()
	p = s.pipe(t).signedIn()
	if again := p.multi("UIDL"); !slices.Equal(again, first) {
		t.Errorf("unique-ids changed: %q, %q", first, again)
	}
	p.quit()
}

func TestTop(t *testing.T) { // S-072, S-073
	t.Parallel()
	s := start(t, nil)
	more := []string{
		"Subject: header only\n",             // 4
		"Subject: header and empty line\n\n", // 5
		"\nbody without header\nmore\n",      // 6
		"H: " + strings.Repeat("h", 40_000) + "\n\n" + strings.Repeat("line\n", 10_000), // 7
		"no line end", // 8
	}
	for _, m := range more {
		if _, err := s.mem.Deliver(user, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	p := s.pipe(t).signedIn()
	head := "Subject: two\r\n\r\n"
	long := "H: " + strings.Repeat("h", 40_000) + "\r\n\r\n"
	tests := []struct{ cmd, want string }{
		{"TOP 2 0", head},
		{"TOP 2 1", head + "1\r\n"},
		{"TOP 2 4", head + "1\r\n2\r\n3\r\n.\r\n"},
		{"TOP 2 6", mail[1]},
		{"TOP 2 7", mail[1]},
		{"TOP 2 2147483648", mail[1]},
		{"TOP 4 0", "Subject: header only\r\n"},
		{"TOP 4 9", "Subject: header only\r\n"},
		{"TOP 5 0", "Subject: header and empty line\r\n\r\n"},
		{"TOP 6 0", "\r\n"},
		{"TOP 6 1", "\r\nbody without header\r\n"},
		{"TOP 7 0", long},
		{"TOP 7 9999", long + strings.Repeat("line\r\n", 9999)},
		{"TOP 8 0", "no line end\r\n"},
	}
	for _, tt := range tests {
		if got := p.body(tt.cmd); got != tt.want {
			t.Errorf("%s: %.80q (%d octets), want %.80q (%d)", tt.cmd, got, len(got), tt.want, len(tt.want))
		}
	}
	for _, c := range []string{"TOP", "TOP 1", "TOP 1 -1", "TOP 1 x", "TOP 1 1 1", "TOP 0 1", "TOP 1 99999999999999999999", "TOP 99 1"} {
		p.cmd(c, "-ERR ")
	}
	p.quit()
}

func TestLast(t *testing.T) { // S-085
	t.Parallel()
	p := start(t, nil).pipe(t).signedIn()
	p.cmd("LAST", "-ERR unknown command")
	p.quit()

	// RFC 1460 §6, with RSET as that RFC has it.
	p = start(t, func(o *pop3server.Options) { o.EnableLast = true }).pipe(t).signedIn()
	p.cmd("LAST", "+OK 0")
	p.multi("RETR 2")
	p.cmd("LAST", "+OK 2")
	p.multi("TOP 3 0")
	p.cmd("DELE 1", "+OK ")
	p.cmd("LAST", "+OK 2")
	p.cmd("DELE 3", "+OK ")
	p.cmd("LAST", "+OK 3")
	p.cmd("RSET", "+OK ")
	p.cmd("LAST", "+OK 0")
	p.quit()
}

func TestSnapshot(t *testing.T) { // S-013
	t.Parallel()
	s := start(t, nil)
	p := s.pipe(t).signedIn()
	stat := p.cmd("STAT", "+OK ")
	if _, err := s.mem.Deliver(user, []byte("late\n")); err != nil {
		t.Fatal(err)
	}
	if got := p.cmd("STAT", "+OK "); got != stat {
		t.Errorf("STAT changed to %q", got)
	}
	p.quit()
	p = s.pipe(t).signedIn()
	p.cmd("STAT", "+OK 4 ")
	p.quit()
}

func TestQuitBeforeSignIn(t *testing.T) { // S-060
	t.Parallel()
	s := start(t, nil)
	s.pipe(t).greeted().quit()
	if n := s.count(); n != 3 {
		t.Errorf("%d messages left", n)
	}
}
