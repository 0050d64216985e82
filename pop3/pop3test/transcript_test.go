package pop3test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// play plays a dialogue, with a setup that some of the cases use, to a scripted peer.
func playTo(t *testing.T, dialogue string, peer ...Step) error {
	t.Helper()
	tr, err := ParseTranscript("t.txtar", []byte(testSetup+"-- dialogue --\n"+dialogue))
	if err != nil {
		t.Fatal(err)
	}
	server := NewScriptedPeer(t, append(peer, MayHangUp())...)
	return tr.Play(t.Context(), Target{Dial: func(context.Context) (net.Conn, error) { return server.Conn(), nil }})
}

const testSetup = `A comment.
-- setup --
account mrose tanstaaf
	message uid-a file a.eml
	message uid-b quoted ".b\n" "c"
	message uid-c octets 120
-- a.eml --
Subject: a

.one
two
`

func TestTranscriptSteps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, dialogue string
		peer           Script
		want           string // in the error; empty for success
	}{
		{"exact line", "S: +OK hello", Script{Reply("+OK hello")}, ""},
		{"another line", "S: +OK hello", Script{Reply("+OK hullo")}, `t.txtar:13: S: server says "+OK hullo", expected "+OK hello"`},
		{"line without CR", "S: +OK", Script{Send("+OK\n")}, "ends a line without CR"},
		{"cut line", "S: +OK", Script{Send("+OK\r")}, "EOF"},
		{"end instead of a line", "S: +OK", Script{}, "closed the connection"},
		{"status: text is free", "S~: +OK ready", Script{Reply("+OK at your service")}, ""},
		{"status: other indicator", "S~: +OK ready", Script{Reply("-ERR no")}, "expected a response like"},
		{"status: same code", "S~: -ERR [IN-USE] no", Script{Reply("-ERR [IN-USE] wait")}, ""},
		{"status: code missing", "S~: -ERR [IN-USE] no", Script{Reply("-ERR wait")}, "expected a response like"},
		{"status: code too much", "S~: -ERR no", Script{Reply("-ERR [AUTH] no")}, "expected a response like"},
		{"status: no status", "S~: -ERR no", Script{Reply("BYE")}, "expected a response like"},
		{"status: too long", "S~: +OK", Script{Reply("+OK " + strings.Repeat("x", 507))}, "status line of 513 octets"},
		{"status: longest", "S~: +OK", Script{Reply("+OK " + strings.Repeat("x", 506))}, ""},
		{"expression", `S/: \+OK \d+ \d+`, Script{Reply("+OK 2 320")}, ""},
		{"expression matches as a whole", `S/: \+OK \d+`, Script{Reply("+OK 2 320")}, "does not match"},
		{"line, many times", "S-REPEAT/: 3 a.", Script{Reply("ab", "ab", "ac")}, ""},
		{"line, not often enough", "S-REPEAT/: 3 a.", Script{Reply("ab", "ab", "-ERR")}, "line 3 of 3"},
		{"octets", `S-RAW: "+ \r\n" "\x00"`, Script{Send("+ \r\n\x00")}, ""},
		{"other octets", `S-RAW: "+ \r\n"`, Script{Send("+\r\n\n")}, "octet 1 on"},
		{"too few octets", `S-RAW: "+ \r\n"`, Script{Send("+ ")}, "after 2 octets of 4"},
		{"message, stuffed", "S-MESSAGE: uid-a", Script{Reply("Subject: a", "", "..one", "two", ".")}, ""},
		{"message, unstuffed", "S-MESSAGE: uid-a", Script{Reply("Subject: a", "", ".one", "two", ".")}, "octet 15 on"},
		{"message, line ends", "S-MESSAGE: uid-b", Script{Reply("..b", "c", ".")}, ""},
		{"message without end", "S-MESSAGE: uid-b", Script{Reply("..b", "c")}, "after 8 octets"},
		{"top", "S-TOP: 1 uid-a", Script{Reply("Subject: a", "", "..one", ".")}, ""},
		{"top of nothing", "S-TOP: 0 uid-a", Script{Reply("Subject: a", "", ".")}, ""},
		{"top of all", "S-TOP: 99 uid-a", Script{Reply("Subject: a", "", "..one", "two", ".")}, ""},
		{"search", "S: +OK\nS-HAS: TOP\nS-HAS/: SASL .*PLAIN.*\nS-LACKS: STLS\nS-LACKS/: X-.*", Script{Reply("+OK", "SASL LOGIN PLAIN", "TOP", ".")}, ""},
		{"search fails", "S: +OK\nS-HAS: TOP", Script{Reply("+OK", "TOPS", ".")}, "has no line TOP"},
		{"search finds what should lack", "S: +OK\nS-LACKS/: STLS.*", Script{Reply("+OK", "STLS", ".")}, "has a line STLS.*"},
		{"search for all", "S: +OK\nS-ALL/: T.*", Script{Reply("+OK", "TOP", "TIP", ".")}, ""},
		{"search for all fails", "S: +OK\nS-ALL/: T.*", Script{Reply("+OK", "TOP", "STLS", ".")}, "other than T"},
		{"search goes on behind", "S: +OK\nS-HAS: a\nS: +OK\nS-HAS: b", Script{Reply("+OK", "a", ".", "+OK", "b", ".")}, ""},
		{"end", "S: +OK\nS-CLOSE:", Script{Reply("+OK")}, ""},
		{"no end", "S: +OK\nS-CLOSE:", Script{Reply("+OK", "and more")}, `server says "and more`},
		{"more than expected", "S: +OK", Script{Reply("+OK", "and more")}, "after the last line"},

		{"client's line", "C: QUIT", Script{Expect("QUIT")}, ""},
		{"client's octets", `C-RAW: "QU" "IT\r\n"`, Script{Expect("QUIT")}, ""},
		{"client's octets, many times", "C-REPEAT: 3 \"ab\"\nC:", Script{Expect("ababab")}, ""},
		{"client's empty line", "C:", Script{Expect("")}, ""},
		{"client closes", "S: +OK\nC-CLOSE:\nS: +OK", Script{Reply("+OK"), ExpectHangUp()}, ""},
		{"client cuts", "S: +OK\nC-CUT:\nS: +OK", Script{Reply("+OK"), ExpectHangUp()}, ""},
		{"capture", `S/: \+OK (?P<timestamp><.*>)` + "\nC: APOP mrose ${apop tanstaaf}\nC: ${timestamp}", Script{
			Reply("+OK <1896.697170952@dbc.mtview.ca.us>"),
			Expect("APOP mrose c4c9334bac560ecc979e58001b3e22fb"),
			Expect("<1896.697170952@dbc.mtview.ca.us>"),
		}, ""},
		{"capture, compared", "S/: (?P<uid>.*)\nS: ${uid}!", Script{Reply("a", "a!")}, ""},
		{"not captured", "C: ${uid}", Script{}, "was not captured"},
		{"base64", `C: ${base64 "\x00tim\x00tanstaaf"}`, Script{Expect("AHRpbQB0YW5zdGFhZg==")}, ""},
		{"sign-in", "C-LOGIN: mrose tanstaaf\nC: STAT", Script{
			Reply("+OK"), Expect("USER mrose"), Reply("+OK"), Expect("PASS tanstaaf"), Reply("+OK"), Expect("STAT"),
		}, ""},
		{"sign-in refused", "C-LOGIN: mrose tanstaaf", Script{Reply("+OK"), Expect("USER mrose"), Reply("-ERR [AUTH] no")}, "[AUTH] no"},
		{"AUTH PLAIN", "C-AUTH: PLAIN tim tanstaaftanstaaf\nS: +OK", Script{
			Expect("AUTH PLAIN"), Send("+ \r\n"), Expect("AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), Reply("+OK"),
		}, ""},
		{"AUTH CRAM-MD5", "C-AUTH: CRAM-MD5 tim tanstaaftanstaaf\nS: +OK", Script{
			Expect("AUTH CRAM-MD5"), Reply("+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"),
			Expect("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"), Reply("+OK"),
		}, ""},
		{"AUTH refused", "C-AUTH: PLAIN tim x\nS: -ERR no", Script{Expect("AUTH PLAIN"), Reply("-ERR no")}, ""},
		{"AUTH SCRAM without proof", "C-AUTH: SCRAM-SHA-256 tim x\nS: +OK", Script{Expect("AUTH SCRAM-SHA-256"), Reply("+OK")}, "without proving itself"},
		{"no TLS", "C-TLS:", Script{}, "no TLS configuration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := playTo(t, tt.dialogue, tt.peer...)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Play: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Play: %v; want an error with %q", err, tt.want)
			}
		})
	}
}

// Lines of the client that follow each other are one segment: the server sees them before it has answered.
func TestTranscriptPipelines(t *testing.T) {
	t.Parallel()
	err := playTo(t, "C: NOOP\nC: STAT\nS: a\nS: b", Expect("NOOP"), Expect("STAT"), Reply("a", "b"))
	if err != nil {
		t.Error(err)
	}
}

func TestTranscriptTwoConnections(t *testing.T) {
	t.Parallel()
	tr, err := ParseTranscript("t", []byte("-- dialogue --\nS: one\nS2: two\nC2: b\nC: a\nS2-CLOSE:\nS2: three\n"))
	if err != nil {
		t.Fatal(err)
	}
	server := NewScriptedPeers(
		t, Script{Reply("one"), Expect("a"), ExpectHangUp()}, Script{Reply("two"), Expect("b")}, Script{Reply("three"), ExpectHangUp()},
	)
	if err := tr.Play(t.Context(), Target{Dial: func(context.Context) (net.Conn, error) { return server.Conn(), nil }}); err != nil {
		t.Error(err)
	}
	if err := server.Wait(); err != nil {
		t.Error(err)
	}
}

func TestTranscriptTLS(t *testing.T) {
	t.Parallel()
	cert, roots := NewCertificate(t, "mail.example")
	server := NewScriptedPeer(
		t, Reply("+OK"), Expect("STLS"), Reply("+OK"), StartTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), Expect("CAPA"), Reply("+OK"),
	)
	tr, err := ParseTranscript("t", []byte("-- dialogue --\nS: +OK\nC: STLS\nS: +OK\nC-TLS:\nC: CAPA\nS: +OK\nS-CLOSE:\n"))
	if err != nil || !tr.UsesTLS() {
		t.Fatal(tr, err)
	}
	RunTranscript(t, Target{
		Dial: func(context.Context) (net.Conn, error) { return server.Conn(), nil },
		TLS:  &tls.Config{RootCAs: roots, ServerName: "mail.example"},
	}, tr)
}

func TestTranscriptDialFails(t *testing.T) {
	t.Parallel()
	tr, err := ParseTranscript("t", []byte("-- dialogue --\nS: +OK\n"))
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := tr.Play(t.Context(), Target{Dial: func(context.Context) (net.Conn, error) { return nil, refused }}); !errors.Is(err, refused) {
		t.Errorf("Play: %v", err)
	}
}

func TestParseTranscript(t *testing.T) {
	t.Parallel()
	tr, err := ParseTranscript("t", []byte(testSetup+"-- dialogue --\n  # A comment.\n\n  S: +OK\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Account{{User: "mrose", Password: "tanstaaf", Messages: []Message{
		{UID: "uid-a", Octets: []byte("Subject: a\r\n\r\n.one\r\ntwo\r\n")},
		{UID: "uid-b", Octets: []byte(".b\nc")},
		{UID: "uid-c", Octets: filler(120)},
	}}}
	if diff := cmp.Diff(want, tr.Accounts); diff != "" || tr.Comment != "A comment.\n" || tr.UsesTLS() || len(tr.steps) != 1 {
		t.Errorf("ParseTranscript: %+v\n%s", tr, diff)
	}
}

func TestParseTranscriptRefuses(t *testing.T) {
	t.Parallel()
	dialogue := func(s string) string { return "-- setup --\naccount a b\nmessage u octets 20\n-- dialogue --\n" + s }
	setup := func(s string) string { return "-- setup --\n" + s + "\n-- dialogue --\nS: +OK\n" }
	for _, tt := range []struct{ in, want string }{
		{"", "no section named dialogue"},
		{"-- dialogue --\n", "empty"},
		{"-- dialogue --\n-- dialogue --\n", "t:2: second section"},
		{setup("account a"), "t:2: account wants"},
		{setup("message u octets 20"), "t:2: message before"},
		{setup("account a b\nmessage u"), "t:3: message wants"},
		{setup("account a b\nmessage u octets 15"), "octets wants a number from 16"},
		{setup("account a b\nmessage u octets 16777217"), "octets wants a number"},
		{setup("account a b\nmessage u file x"), `no section "x"`},
		{setup("account a b\nmessage u quoted x"), "not a quoted string"},
		{setup("account a b\nmessage u blob x"), "no form"},
		{setup("option"), "option wants"},
		{setup("mail"), `no "mail"`},
		{dialogue("QUIT"), "t:5: neither a line"},
		{dialogue("X: QUIT"), "neither a line"},
		{dialogue("C-NOTHING:"), "unknown step"},
		{dialogue("C~: x"), "unknown step"},
		{dialogue("S/: ("), "missing closing"},
		{dialogue("C-RAW: x"), "not a quoted string"},
		{dialogue(`C-REPEAT: "x"`), "C-REPEAT wants"},
		{dialogue("S-REPEAT/: x"), "S-REPEAT/ wants"},
		{dialogue("S-REPEAT/: 100001 x"), "S-REPEAT/ wants"},
		{dialogue(`C-REPEAT: 9000000 "xx"`), "C-REPEAT makes more"},
		{dialogue("S-MESSAGE: v"), `no message with unique-id "v"`},
		{dialogue("S-TOP: u"), "S-TOP wants"},
		{dialogue("S-TOP: -1 u"), "S-TOP wants"},
		{dialogue("S-TOP: 1 v"), "no message"},
		{dialogue("C-LOGIN: a"), "C-LOGIN wants"},
		{dialogue("C-AUTH: PLAIN a"), "C-AUTH wants"},
		{dialogue("C-TLS: now"), "nothing may follow"},
		{strings.Repeat("x", MaxTranscript+1), "more than"},
	} {
		if tr, err := ParseTranscript("t", []byte(tt.in)); tr != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseTranscript(%.60q): %v; want an error with %q", tt.in, err, tt.want)
		}
	}
}

func TestFiller(t *testing.T) {
	t.Parallel()
	for n := minFiller; n < 500; n++ {
		m := filler(n)
		if len(m) != n || string(wireForm(m)) != string(m) {
			t.Fatalf("filler(%d) has %d octets or is not in wire form: %q", n, len(m), m)
		}
	}
}

func FuzzParseTranscript(f *testing.F) {
	f.Add([]byte(testSetup + "-- dialogue --\nS~: +OK\nC2-RAW: \"x\"\nS-TOP: 1 uid-a\nC-AUTH: PLAIN a b\nS/: (?P<x>.)\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := ParseTranscript("t", data)
		if (tr == nil) != (err != nil) {
			t.Errorf("ParseTranscript = %v, %v", tr, err)
		}
	})
}
