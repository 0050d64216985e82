package imapclient_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/imapclient"
)

// scripted plays a server that says text behind the sign-in, whatever is asked, and then repeats the rest for 256 MiB, and
// hangs up.
func scripted(t *testing.T, text, rest string) imapclient.Options {
	t.Helper()
	return imapclient.Options{
		Addr: "imap.example.com:143", Security: imapclient.Clear, AllowCleartext: true, User: "bob", Password: "geheim",
		Timeout: time.Minute, MaxMessage: 1 << 20,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			t.Cleanup(func() { _ = near.Close() })
			go func() { // ends with the pipe
				defer far.Close()
				r := bufio.NewReader(far)
				pieces := []string{"P1 OK [CAPABILITY IMAP4rev1] signed in\r\n", text}
				if behind, ok := strings.CutPrefix(text, examined); ok {
					pieces = append(pieces[:1], examined, behind)
				}
				_, err := io.WriteString(far, "* OK [CAPABILITY IMAP4rev1] ready\r\n")
				for _, piece := range pieces {
					if err == nil {
						_, err = r.ReadString('\n')
					}
					if err == nil {
						_, err = io.WriteString(far, piece)
					}
				}
				for n := 0; err == nil && rest != "" && n < 256<<20; n += len(rest) {
					_, err = io.WriteString(far, rest)
				}
			}()
			return near, nil
		},
	}
}

const (
	examined = "* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\nT1 OK done\r\n"
	junk     = "0123456789012345678901234567890123456789012345678901234567890123456789"
)

// What a hostile server says is bounded, and a message is whole or an error.
func TestHostileServers(t *testing.T) {
	kilo := strings.Repeat(junk, 64)
	lines := strings.Repeat(junk+"\r\n", 64)
	for _, test := range []struct {
		name, text, rest string
		want             error
	}{
		{"endless line", examined + "* OK ", kilo, imapclient.ErrTooLarge},
		{"endless list", examined + "* 1 FETCH (FLAGS (", strings.Repeat("a ", 500), imapclient.ErrTooLarge},
		{"endless literals", examined + "* 1 FETCH (ENVELOPE (", "{70}\r\n" + junk + " ", nil},
		{"huge literal", examined + "* 1 FETCH (UID 7 BODY[] {9000000000000}\r\n", kilo, imapclient.ErrTooLarge},
		{"huge literal elsewhere", examined + "* 1 FETCH (ENVELOPE ({2000000}\r\n", kilo, imapclient.ErrTooLarge},
		{"huge literal in the name of a section", examined + "* 1 FETCH (UID 7 BODY[HEADER.FIELDS (BODY[] {900000}\r\n" + junk, kilo, nil},
		{"huge literal hidden in one of a text", examined + "* OK {40}\r\n* 1 FETCH (ENVELOPE ({9000000000000}\r\n", lines, imapclient.ErrTooLarge},
		{"huge literal hidden in one of another response", examined + "* XFOO {40}\r\n* 1 FETCH (ENVELOPE ({9000000000000}\r\n", lines, imapclient.ErrProtocol},
		{"huge literal hidden behind a code", examined + "* OK [X y\r\n* 1 FETCH (BODY[] {50}\r\n] x\r\n* 1 FETCH (ENVELOPE ({9000000000000}\r\n", lines, imapclient.ErrProtocol},
		{"huge literal hidden in a numbered text", examined + "* 1 OK [X (BODY[] {50}\r\n* 1 FETCH (ENVELOPE ({9000000000000}\r\n", lines, imapclient.ErrTooLarge},
		{"a long number", examined + "* " + strings.Repeat("0", 60) + "1 OK [X (BODY[] {1000000}\r\n", lines, imapclient.ErrProtocol},
		{"a line that ends in between", examined + "* 1 FETCH (UID 7\r\n FLAGS ())\r\nT2 OK done\r\n", "", nil},
		{"literal too short", examined + "* 1 FETCH (UID 7 BODY[] {100}\r\n" + junk, "", io.ErrUnexpectedEOF},
		{"literal too long", examined + "* 1 FETCH (UID 7 BODY[] {10}\r\n" + junk + ")\r\nT2 OK\r\n", "", nil},
		{"no literal", examined + "* 1 FETCH (UID 7 BODY[] NIL)\r\nT2 OK done\r\n", "", nil},
		{"another message", examined + "* 1 FETCH (UID 8 BODY[] {2}\r\nhi)\r\nT2 OK done\r\n", "", nil},
		{"refused behind the text", examined + "* 1 FETCH (UID 7 BODY[] {2}\r\nhi)\r\nT2 NO sorry\r\n", "", nil},
		{"cut before the end", examined + "* 1 FETCH (UID 7 BODY[] {2}\r\nhi)\r\n", "", io.ErrUnexpectedEOF},
		{"one text without a unique-id", examined + "* 1 FETCH (BODY[] {2}\r\nhi)\r\nT2 OK done\r\n", "", nil},
		{"flags and expunges in between", examined + "* 3 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Seen))\r\n* 0 EXISTS\r\nT2 OK done\r\n", "", nil},
		{"a new UIDVALIDITY and nothing else", examined + "* OK [UIDVALIDITY 2] new\r\nT2 OK done\r\n", "", nil},
		{"negative size", examined + "* 1 FETCH (UID 7 BODY[] {-1}\r\n)\r\nT2 OK done\r\n", "", nil},
		{"no IMAP", "HTTP/1.1 400 Bad Request\r\n\r\n", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			text, err := fetchSeven(t, scripted(t, test.text, test.rest))
			runtime.ReadMemStats(&after)
			if err == nil || strings.Contains(err.Error(), "panic") || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%q, %v, want %v", text, err, test.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 96<<20 { // of all that was ever allocated
				t.Errorf("%d octets of memory", grown)
			}
		})
	}
}

func fetchSeven(t *testing.T, opt imapclient.Options) (string, error) {
	t.Helper()
	c, err := imapclient.Dial(t.Context(), opt)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		return "", err
	}
	body, err := c.Fetch(t.Context(), 7, imapclient.Whole)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(body)
	return string(text), errors.Join(err, body.Close())
}

// To go on after a long message that was given up would be to read all of it: the connection ends, and Close says so, once.
func TestLongMessageThatIsGivenUp(t *testing.T) {
	t.Parallel()
	opt := scripted(t, examined+"* 1 FETCH (UID 7 BODY[] {9000000}\r\n", strings.Repeat(junk+"\r\n", 64))
	opt.MaxMessage = 0
	c, err := imapclient.Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	body, err := c.Fetch(t.Context(), 7, imapclient.Whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); !errors.Is(err, imapclient.ErrClosed) {
		t.Errorf("closed: %v, want %v", err, imapclient.ErrClosed)
	}
	if err := body.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// Whatever a server says, the client comes to an end, and within its bounds.
func FuzzServer(f *testing.F) {
	for _, text := range []string{
		examined + "* 1 FETCH (UID 7 BODY[] {2}\r\nhi)\r\nT2 OK done\r\n",
		examined + "* 1 FETCH (UID 7 BODY[] \"hi\" FLAGS (\\Seen))\r\n* 2 EXPUNGE\r\nT2 NO [UIDNOTSTICKY] x\r\n",
		"* BYE\r\n", "T1 BAD {5}\r\n", "+ \r\n* SEARCH 1 2 (MODSEQ 3)\r\n", "* LIST (\\x) \"/\" {3}\r\nabc\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		opt := scripted(t, text, "")
		opt.Timeout = time.Second
		if got, err := fetchSeven(t, opt); err == nil && !strings.Contains(text, got) {
			t.Errorf("%q", got)
		}
	})
}
