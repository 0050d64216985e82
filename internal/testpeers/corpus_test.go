package testpeers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A letter is one message of the corpus, in the form in which it must be picked up: lines end with CRLF.
type letter struct {
	name string
	text []byte
	raw  []byte // as handed in, where that differs
}

// corpus has a message for everything that a client or server gets wrong now and then. Lines stay below 998 octets and
// there are no NULs, because some of the clients themselves cannot have those (docs/compatibility.md).
var corpus = func() []letter {
	head := func(subject, more string) string {
		return "Return-Path: <alice@example.org>\r\nReceived: from mx.example.org by mail.example.com;\r\n\tSat, 21 Nov 2026 10:00:00 +0000\r\n" +
			"From: Alice <alice@example.org>\r\nTo: Bob <bob@example.com>\r\nSubject: " + subject + "\r\n" +
			"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" + strings.ReplaceAll(subject, " ", ".") + "@example.org>\r\n" + more + "\r\n"
	}
	rng := rand.New(rand.NewPCG(1, 2))
	blob := make([]byte, 6<<20)
	for i := range blob {
		blob[i] = byte(rng.Uint32())
	}
	var attachment strings.Builder
	for b64 := base64.StdEncoding.EncodeToString(blob); len(b64) > 0; {
		n := min(76, len(b64))
		attachment.WriteString(b64[:n] + "\r\n")
		b64 = b64[n:]
	}
	mime := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n"
	letters := []letter{
		{name: "plain", text: []byte(head("plain", "") + "Hello Bob,\r\n\r\nnothing special.\r\n")},
		{name: "dots", text: []byte(head("dots", "") + ".\r\n..\r\n...\r\n.leading\r\nend.\r\n.\r\n")},
		{name: "first body line is a dot", text: []byte(head("first dot", "") + ".\r\n")},
		{name: "From_ lines", text: []byte(head("from lines", "") + "From here on\r\n>From there\r\n\r\nFrom alice Sat Nov 21 10:00:00 2026\r\n")},
		{name: "8bit", text: []byte(head("8bit", "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n") + "Grüße aus Köln, 你好, мир\r\n")},
		{name: "quoted-printable", text: []byte(head("qp", "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n") + "Gr=FC=DFe =\r\nsoft break\r\n=2E\r\n")},
		{name: "html", text: []byte(head("html", "MIME-Version: 1.0\r\nContent-Type: text/html; charset=us-ascii\r\n") + "<p>Hello <b>Bob</b></p>\r\n")},
		{name: "long line", text: []byte(head("long line", "") + strings.Repeat("x", 990) + "\r\n")},
		{name: "empty body", text: []byte(head("empty body", ""))},
		{name: "blank lines at the end", text: []byte(head("blank lines", "") + "text\r\n\r\n\r\n")},
		{name: "trailing spaces", text: []byte(head("trailing spaces", "") + "text  \r\n \t \r\n")},
		{name: "8 MB", text: []byte(head("8 MB", mime) + "--b1\r\nContent-Type: text/plain\r\n\r\nsee attachment\r\n--b1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + attachment.String() + "--b1--\r\n")},
	}
	last := head("no last line end", "") + "no line end here"
	return append(letters, letter{name: "no last line end", text: []byte(last + "\r\n"), raw: []byte(last)})
}()

// fill adds an account and delivers the corpus to it.
func fill(t *testing.T, d *Daemon, user, password string) {
	t.Helper()
	d.Run(t, []byte(password+"\n"), "account", "add", user, "--password-stdin")
	for _, l := range corpus {
		raw := l.raw
		if raw == nil {
			raw = l.text
		}
		d.Run(t, raw, "deliver", user)
	}
}

// wantSame compares what a client fetched with the corpus: same messages, any order, once each. Clients that keep mail
// the Unix way have LF line ends; eol is what the client writes.
func wantSame(t *testing.T, got [][]byte, eol string) {
	t.Helper()
	want := map[[32]byte]string{}
	for _, l := range corpus {
		text := l.text
		if eol == "\n" {
			text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		}
		want[sha256.Sum256(text)] = l.name
	}
	for _, g := range got {
		sum := sha256.Sum256(g)
		if _, ok := want[sum]; !ok {
			t.Errorf("a message of %d octets came that was not sent, or came twice; it begins\n%.300q and ends\n%.100q", len(g), g[:min(len(g), 600)], g[max(0, len(g)-100):])
		}
		delete(want, sum)
	}
	if len(want) > 0 {
		var names []string
		for _, n := range want {
			names = append(names, n)
		}
		slices.Sort(names)
		t.Errorf("did not come, or not with the same octets: %s", strings.Join(names, ", "))
	}
}

// readFiles reads the files of a folder, as one message each.
func readFiles(t *testing.T, dir string) (messages [][]byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, b)
	}
	return messages
}

// left returns how many messages the maildrop still holds.
func left(t *testing.T, d *Daemon, user, password string) (n int) {
	t.Helper()
	replies := converse(t, d.POP3, "USER "+user, "PASS "+password, "STAT", "QUIT")
	if _, err := fmt.Sscanf(replies[2], "+OK %d ", &n); err != nil {
		t.Fatalf("STAT: %q", replies)
	}
	return n
}
