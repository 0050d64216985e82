package lmtpd

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/mailstore"
)

// RFC 2033 §4.2, with our texts.
func TestExampleOfTheRFC(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, tcp, unix := newServer(t, Options{Store: store, MaxMessage: 1000})
	for _, addr := range []net.Addr{tcp, unix} {
		dial(t, addr).play(`
			S: 220 foo.edu LMTP Postamt
			C: LHLO foo.edu
			S: 250-foo.edu
			S: 250-PIPELINING
			S: 250-ENHANCEDSTATUSCODES
			S: 250-8BITMIME
			S: 250-SMTPUTF8
			S: 250 SIZE 1000
			C: MAIL FROM:<chris@bar.com>
			S: 250 2.1.0 sender ok
			C: RCPT TO:<pat@foo.edu>
			S: 250 2.1.5 recipient ok
			C: RCPT TO:<jones@foo.edu>
			S: 550 5.1.1 no such user here
			C: RCPT TO:<green@foo.edu>
			S: 250 2.1.5 recipient ok
			C: DATA
			S: 354 go ahead, end with <CRLF>.<CRLF>
			C: Blah blah blah...
			C: ...etc. etc. etc.
			C: .
			S: 250 2.0.0 <pat@foo.edu> delivered
			S: 250 2.0.0 <green@foo.edu> delivered
			C: QUIT
			S: 221 2.0.0 bye
			S|
		`)
	}
	want := []mailstore.Recipient{{Drop: 1, Address: "pat@foo.edu"}, {Drop: 2, Address: "green@foo.edu"}}
	for _, m := range store.all() {
		if diff := cmp.Diff(want, m.to); diff != "" || m.env.Sender != "chris@bar.com" {
			t.Errorf("from %q, recipients (-want +got):\n%s", m.env.Sender, diff)
		}
		if got := string(m.body); got != "Blah blah blah...\r\n..etc. etc. etc.\r\n" {
			t.Errorf("body %q", got)
		}
	}
	if len(store.all()) != 2 {
		t.Errorf("%d messages stored, want 2", len(store.all()))
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, script string }{
		{"SMTP is told so", "C: HELO x\nS: 500 5.5.1*\nC: EHLO x\nS: 500 5.5.1*"},
		{"LHLO without a name", "C: LHLO\nS: 501 5.5.4*"},
		{"MAIL before LHLO", "C: MAIL FROM:<>\nS: 503 5.5.1*"},
		{"anything goes before LHLO that may", "C: NOOP\nS: 250*\nC: RSET\nS: 250*\nC: VRFY pat\nS: 252*\nC: help\nS: 214*"},
		{"unknown", "C: XYZZY\nS: 500 5.5.1*\nC: \nS: 500*"},
		{"CHUNKING is off, and the chunk is not read as commands", "C: BDAT 6 LAST\nS: 502*\nS|"},
		{"quit", "C: quit\nS: 221*\nS|"},
	}
	inside := []struct{ name, script string }{
		{"null sender", "C: MAIL FROM:<>\nS: 250*"},
		{"blank after the colon", "C: mail from: <a@b>\nS: 250*"},
		{"second MAIL", "C: MAIL FROM:<>\nS: 250*\nC: MAIL FROM:<>\nS: 503*"},
		{"LHLO ends a transaction", "C: MAIL FROM:<>\nS: 250*\nC: LHLO x\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250 *\nC: RCPT TO:<pat>\nS: 503*"},
		{"RSET ends a transaction", "C: MAIL FROM:<>\nS: 250*\nC: RSET\nS: 250*\nC: RCPT TO:<pat>\nS: 503*"},
		{"RCPT before MAIL", "C: RCPT TO:<pat>\nS: 503*"},
		{"DATA before MAIL", "C: DATA\nS: 503*"},
		{"DATA without a valid recipient", "C: MAIL FROM:<>\nS: 250*\nC: RCPT TO:<nobody>\nS: 550*\nC: DATA\nS: 503 5.5.1*"},
		{"DATA with an argument", "C: DATA x\nS: 501*"},
		{"directory fails", "C: MAIL FROM:<>\nS: 250*\nC: RCPT TO:<broken@x>\nS: 451 4.3.0*"},
		{"paths", "C: MAIL FROM:a@b\nS: 501 5.1.7*\nC: MAIL FROM:<a@b\nS: 501*\nC: MAIL FROM:<a b@c>\nS: 501*\nC: MAIL TO:<a@b>\nS: 501*\nC: MAIL FROM:<a\x07@b>\nS: 501*"},
		{"recipients", "C: MAIL FROM:<>\nS: 250*\nC: RCPT TO:<>\nS: 501 5.1.3*\nC: RCPT TO:<@a,@b:pat@c>\nS: 250*\nC: RCPT TO:<\"pat\"@c>\nS: 250*\nC: RCPT TO:<pat> NOTIFY=NEVER\nS: 555*"},
		{"path of 512 octets, and one more", "C: MAIL FROM:<" + strings.Repeat("a", 511) + ">\nS: 250*\nC: RSET\nS: 250*\nC: MAIL FROM:<" + strings.Repeat("a", 512) + ">\nS: 501*"},
		{"SIZE", "C: MAIL FROM:<> SIZE=1000\nS: 250*\nC: RSET\nS: 250*\nC: MAIL FROM:<> size=1001\nS: 552 5.3.4*\n" +
			"C: MAIL FROM:<> SIZE=5000000000\nS: 552*\nC: MAIL FROM:<> SIZE=99999999999999999999999\nS: 552*\nC: MAIL FROM:<> SIZE=-1\nS: 501*\nC: MAIL FROM:<> SIZE=\nS: 501*"},
		{"BODY", "C: MAIL FROM:<> BODY=BINARYMIME\nS: 501 5.6.1*\nC: MAIL FROM:<> BODY=9BIT\nS: 501*\nC: MAIL FROM:<> BODY=8bitmime\nS: 250*"},
		{"unknown parameter", "C: MAIL FROM:<> RET=HDRS\nS: 555 5.5.4*"},
		{"SMTPUTF8", "C: MAIL FROM:<jörg@x>\nS: 550 5.6.7*\nC: MAIL FROM:<jörg@x> SMTPUTF8=1\nS: 501*\nC: MAIL FROM:<jörg@x> SMTPUTF8\nS: 250*\nC: RCPT TO:<jörg@x>\nS: 250*"},
		{"UTF-8 recipient without SMTPUTF8", "C: MAIL FROM:<>\nS: 250*\nC: RCPT TO:<jörg@x>\nS: 550 5.6.7*"},
		{"not even UTF-8", "C: MAIL FROM:<\xff@x> SMTPUTF8\nS: 501*"},
		{"longest line, and one octet more", "C: NOOP " + strings.Repeat("x", maxLine-7) + "\nS: 250*\nC: NOOP " + strings.Repeat("x", maxLine-6) + "\nS: 500 5.5.2*\nC: NOOP\nS: 250*"},
	}
	_, tcp, _ := newServer(t, Options{MaxMessage: 1000})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := dial(t, tcp)
			p.want("220*")
			p.play(tt.script)
		})
	}
	for _, tt := range inside {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := dial(t, tcp)
			p.play("S: 220*\nC: LHLO x\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250 *")
			p.play(tt.script)
		})
	}
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, tcp, _ := newServer(t, Options{Store: store})
	p := dial(t, tcp)
	p.hello("pat")
	p.send("RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<pat>\r\nRCPT TO:<green>\r\nDATA\r\n")
	p.play("S: 250*\nS: 250*\nS: 250*\nS: 250*\nS: 354*")
	p.send("x\r\n.\r\nMAIL FROM:<b@c>\r\nRCPT TO:<pat>\r\nDATA\r\n")
	p.play("S: 250 2.0.0 <pat> delivered\nS: 250 2.0.0 <green> delivered\nS: 250*\nS: 250*\nS: 354*")
	p.send(".\r\nQUIT\r\n")
	p.play("S: 250 2.0.0 <pat> delivered\nS: 221*\nS|")
	if got := store.all(); len(got) != 2 || len(got[1].body) != 0 {
		t.Errorf("stored %v, want two messages, the second empty", got)
	}
}

// Each accepted RCPT has a reply of its own, and each maildrop one copy.
func TestOneCopyForEachMaildrop(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, tcp, _ := newServer(t, Options{Store: store})
	p := dial(t, tcp)
	p.hello("anna", "pat", "anni", "pat", "pat+x")
	p.play("C: DATA\nS: 354*\nC: .\nS: 250 2.0.0 <anna>*\nS: 250 2.0.0 <pat>*\nS: 250 2.0.0 <anni>*\nS: 250 2.0.0 <pat>*\nS: 250 2.0.0 <pat+x>*")
	want := []mailstore.Recipient{{Drop: 3, Address: "anna"}, {Drop: 1, Address: "pat"}}
	if diff := cmp.Diff(want, store.all()[0].to); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
}

func TestStoreTrouble(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("%w: write: %w", mailstore.ErrUnavailable, syscall.ENOSPC)
	tests := []struct {
		name  string
		store *fakeStore
		want  string
	}{
		{"disk full at the start", &fakeStore{beginErr: full}, "452 4.3.1 <pat>*"},
		{"disk full in the middle", &fakeStore{writeErr: full}, "452 4.3.1 <pat>*"},
		{"disk full at the end", &fakeStore{commitErr: full}, "452 4.3.1 <pat>*"},
		{"catalog full", &fakeStore{commitErr: fmt.Errorf("%w: %w", mailstore.ErrUnavailable, catalog.ErrFull)}, "452 4.3.1 <pat>*"},
		{"quota", &fakeStore{writeErr: syscall.EDQUOT}, "452 4.3.1 <pat>*"},
		{"too large for the store", &fakeStore{writeErr: mailstore.ErrTooLarge}, "552 5.3.4 <pat>*"},
		{"not available", &fakeStore{commitErr: mailstore.ErrUnavailable}, "451 4.3.0 <pat>*"},
		{"maildrop removed meanwhile", &fakeStore{commitErr: mailstore.ErrRemoved}, "451 4.3.0 <pat>*"},
		{"anything else", &fakeStore{commitErr: io.ErrShortWrite}, "451 4.3.0 <pat>*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, tcp, _ := newServer(t, Options{Store: tt.store})
			p := dial(t, tcp)
			p.hello("pat")
			p.play("C: DATA\nS: 354*\nC: hello\nC: .\nS: " + tt.want)
			p.envelope("pat") // and the session goes on
			if len(tt.store.all()) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestMessageSize(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, tcp, _ := newServer(t, Options{Store: store, MaxMessage: 100_000})
	p := dial(t, tcp)
	p.hello("pat")
	p.play("C: DATA\nS: 354*")
	p.send(strings.Repeat("x", 99_998) + "\r\n.\r\n")
	p.want("250*")
	p.envelope("pat")
	p.play("C: DATA\nS: 354*")
	p.send(strings.Repeat("x", 99_999) + "\r\n.\r\n")
	p.want("552 5.3.4 <pat> message is larger than 100000 octets")
	if got := store.all(); len(got) != 1 || store.aborted != 1 {
		t.Errorf("%d stored and %d given up, want 1 and 1", len(got), store.aborted)
	}
}

// A line of a message may have any length: nothing between the socket and the store collects lines.
func TestLineOfAnyLength(t *testing.T) {
	t.Parallel()
	size := 64 << 20
	if testing.Short() {
		size = 4 << 20
	}
	store := &fakeStore{}
	_, tcp, _ := newServer(t, Options{Store: store, MaxMessage: int64(size) + 2})
	p := dial(t, tcp)
	p.hello("pat")
	p.play("C: DATA\nS: 354*")
	block := strings.Repeat("y", 1<<20)
	for range size >> 20 {
		p.send(block)
	}
	p.send("\r\n.\r\n")
	p.want("250*")
	if got := len(store.all()[0].body); got != size+2 {
		t.Errorf("%d octets stored, want %d", got, size+2)
	}
}

func TestConnectionCutInTheMessage(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	srv, tcp, _ := newServer(t, Options{Store: store})
	p := dial(t, tcp)
	p.hello("pat")
	p.play("C: DATA\nS: 354*\nC: half of it")
	_ = p.nc.(*net.TCPConn).CloseWrite()
	p.wantEOF()
	srv.Stop()
	if len(store.all()) != 0 || store.aborted != 1 {
		t.Errorf("%d stored, %d given up, want 0 and 1", len(store.all()), store.aborted)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, _, unix := newServer(t, Options{Store: store, Trace: true})
	p := dial(t, unix)
	p.hello("pat")
	p.play("C: DATA\nS: 354*\nC: Subject: x\nC: \nC: .\nS: 250*")
	p.envelope("pat", "green")
	p.play("C: DATA\nS: 354*\nC: Subject: x\nC: \nC: .\nS: 250*\nS: 250*")
	for i, m := range store.all() {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.body))
		if err != nil {
			t.Fatal(err)
		}
		received := parsed.Header.Get("Received")
		if got := parsed.Header.Get("Return-Path"); got != "<chris@bar.com>" {
			t.Errorf("Return-Path %q", got)
		}
		if !strings.HasPrefix(received, "from client (unix) by foo.edu (Postamt) with LMTP") {
			t.Errorf("Received %q", received)
		}
		if named := strings.Contains(received, "for <pat>"); named != (i == 0) {
			t.Errorf("message %d names its recipient: %v; only a single one may be named", i, named)
		}
	}
}

// The log says who, to whom, how much and with what result, and nothing of the content.
func TestLog(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	var seen []Transaction
	_, tcp, _ := newServer(t, Options{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Observe: func(tr Transaction) { seen = append(seen, tr) },
	})
	p := dial(t, tcp)
	p.hello("pat", "green")
	p.play("C: RCPT TO:<jones>\nS: 550*\nC: DATA\nS: 354*\nC: Subject: secret plans\nC: .\nS: 250*\nS: 250*")
	p.play("C: MAIL FROM:<a@b>\nS: 250*\nC: RCPT TO:<jones>\nS: 550*\nC: QUIT\nS: 221*\nS|")
	got := log.String()
	for _, want := range []string{
		`msg="mail in"`, "from=chris@bar.com", `to="[pat=250 green=250 jones=550]"`, "octets=23", "helo=client",
		`msg="mail refused"`, `to="[jones=550]"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("log has no %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("log has content:\n%s", got)
	}
	if len(seen) != 1 || seen[0].Recipients != 2 || seen[0].Result != 250 || seen[0].Octets != 23 {
		t.Errorf("observed %+v", seen)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// go-smtp's client is somebody else's idea of the protocol.
func TestForeignClient(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	_, tcp, _ := newServer(t, Options{Store: store})
	nc, err := net.Dial("tcp", tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClientLMTP(nc)
	defer func() { _ = c.Close() }()
	if err := c.Mail("chris@bar.com", &smtp.MailOptions{Size: 20, Body: smtp.Body8BitMIME, UTF8: true}); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"pat", "jörg@foo.edu"} {
		if err := c.Rcpt(to, nil); err != nil {
			t.Fatal(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, ".dots\r\n..\r\nGr\xc3\xbc\xc3\x9fe\r\n")
	answers, err := w.CloseWithLMTPResponse()
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"pat", "jörg@foo.edu"} {
		if answers[to] == nil || answers[to].StatusText != "2.0.0 <"+to+"> delivered" {
			t.Errorf("reply for %s: %+v", to, answers[to])
		}
	}
	if got := string(store.all()[0].body); got != ".dots\r\n..\r\nGrüße\r\n" {
		t.Errorf("body %q", got)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}
