package lmtpd

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What parsePath lets through can stand in a reply, a log line and a header.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{
		"FROM:<>", "FROM:<a@b>", `FROM:<"a b"@c>`, `FROM:<"a\"b"@c> SIZE=1`, "FROM:<@a,@b:c@d>", `FROM:<"a@b`, `FROM:<"">`, `FROM:<"a"b>`,
		"FROM: <j\xc3\xb6rg@x> SMTPUTF8", "FROM:<a>b>", "FROM:<\xff>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		a, ok := parsePath(arg, "FROM:")
		if !ok {
			return
		}
		if strings.ContainsFunc(a.path, func(r rune) bool { return r < ' ' || r == 0x7F || r == '\uFFFD' && !strings.Contains(arg, "\uFFFD") }) {
			t.Errorf("%q: path %q", arg, a.path)
		}
		if len(a.path) > maxPath {
			t.Errorf("%q: path of %d octets", arg, len(a.path))
		}
		// The path is the same when it is read again.
		if again, ok := parsePath("FROM:<"+a.path+">", "FROM:"); len(a.path) < maxPath-2 && (!ok || again.path != a.path) {
			t.Errorf("%q: path %q, read again %q, %v", arg, a.path, again.path, ok)
		}
	})
}

var replyLine = regexp.MustCompile(`^[2-5][0-9][0-9][ -][ -~\x80-\xff]*\r\n$`)

// Whatever a client sends, every line of the server is a reply, and the session ends.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<pat>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n",
		"LHLO x\r\nMAIL FROM:<j\xc3\xb6rg@x> SMTPUTF8 SIZE=3 BODY=8BITMIME\r\nRCPT TO:<\"pat\"@c>\r\nRCPT TO:<nobody>\r\nDATA\r\n\x00\r\r\n.\r\nRSET\r\n",
		"EHLO x\r\nBDAT 3 LAST\r\nabc", "\r\n\n\r", "NOOP " + strings.Repeat("x", 3000) + "\r\nNOOP\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		srv := New(Options{Store: &fakeStore{}, Directory: fakeDirectory{}, MaxMessage: 1000, Trace: true, Hostname: "foo.edu"})
		ours, theirs := net.Pipe()
		_ = ours.SetDeadline(time.Now().Add(20 * time.Second))
		srv.start(theirs)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = ours.Write(input)
			_, _ = io.WriteString(ours, "\r\n.\r\nQUIT\r\n") // so that every input comes to its end
		}()
		var all bytes.Buffer
		if _, err := io.Copy(&all, ours); err != nil {
			t.Errorf("%q: the session does not end: %v", input, err)
		}
		_ = ours.Close()
		<-sent
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for line := range bytes.Lines(all.Bytes()) {
			if !replyLine.Match(line) {
				t.Errorf("%q: not a reply: %q", input, line)
			}
		}
	})
}
