package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
	"github.com/postamt/postamt/pop3/pop3test"
)

// do names what a client is asked to do, and writes the outcome as text, so that tests read as tables.
var do = map[string]func(ctx context.Context, c *pop3client.Client) (string, error){
	"STAT": func(ctx context.Context, c *pop3client.Client) (string, error) {
		n, octets, err := c.Stat(ctx)
		return fmt.Sprint(n, octets), err
	},
	"LIST": func(ctx context.Context, c *pop3client.Client) (string, error) {
		var out []string
		for s, err := range c.List(ctx) {
			if err != nil {
				return "", err
			}
			out = append(out, fmt.Sprint(s.Num, ":", s.Size))
		}
		return strings.Join(out, " "), nil
	},
	"LIST 2": func(ctx context.Context, c *pop3client.Client) (string, error) {
		n, err := c.Size(ctx, 2)
		return fmt.Sprint(n), err
	},
	"UIDL": func(ctx context.Context, c *pop3client.Client) (string, error) {
		var out []string
		for u, err := range c.UIDs(ctx) {
			if err != nil {
				return "", err
			}
			out = append(out, fmt.Sprintf("%d:%q", u.Num, u.UID))
		}
		return strings.Join(out, " "), nil
	},
	"UIDL 2": func(ctx context.Context, c *pop3client.Client) (string, error) {
		return c.UID(ctx, 2)
	},
	"RETR 1": func(ctx context.Context, c *pop3client.Client) (string, error) {
		m, err := c.Retr(ctx, 1)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(m)
		return fmt.Sprintf("%d %q", m.Size, b), err
	},
	"TOP 1 0": func(ctx context.Context, c *pop3client.Client) (string, error) {
		m, err := c.Top(ctx, 1, 0)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(m)
		return fmt.Sprintf("%q", b), err
	},
	"*ENV 1": func(ctx context.Context, c *pop3client.Client) (string, error) {
		var out []string
		for line, err := range c.Extension(ctx, "*ENV 1") {
			if err != nil {
				return "", err
			}
			out = append(out, line)
		}
		return fmt.Sprintf("%q", out), nil
	},
	"CAPA": func(ctx context.Context, c *pop3client.Client) (string, error) {
		capa, err := c.Capa(ctx)
		var out []string
		for _, one := range capa {
			out = append(out, one.String())
		}
		return strings.Join(out, ";"), err
	},
	"DELE 1": func(ctx context.Context, c *pop3client.Client) (string, error) { return "", c.Dele(ctx, 1) },
	"RSET":   func(ctx context.Context, c *pop3client.Client) (string, error) { return "", c.Rset(ctx) },
	"NOOP":   func(ctx context.Context, c *pop3client.Client) (string, error) { return "", c.Noop(ctx) },
	"QUIT":   func(ctx context.Context, c *pop3client.Client) (string, error) { return "", c.Quit(ctx) },
}

// TestCommands has an answer of a server and what the client makes of it, also for servers that break the rules in ways
// that can be survived. The answer comes whole, and octet by octet.
func TestCommands(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for _, test := range []struct {
		name, command, answer, want string
	}{
		{"drop listing", "STAT", "+OK 2 320\r\n", "2 320"},
		{"empty maildrop", "STAT", "+OK 0 0\r\n", "0 0"},
		{"text behind the numbers (C-007)", "STAT", "+OK 2 320 extra\r\n", "2 320"},
		{"more than 4 GiB", "STAT", "+OK 3 9999999999999\r\n", "3 9999999999999"},
		{"negative octets", "STAT", "+OK 3 -2147483648\r\n", "3 -1"},
		{"octets beyond 64 bits", "STAT", "+OK 3 99999999999999999999\r\n", "3 -1"},
		{"two spaces", "STAT", "+OK  2  320 \r\n", "2 320"},
		{"lower case", "STAT", "+ok 2 320\r\n", "2 320"},
		{"bare LF", "STAT", "+OK 2 320\n", "2 320"},

		{"scan listing", "LIST", "+OK\r\n1 120\r\n2 200\r\n.\r\n", "1:120 2:200"},
		{"empty listing", "LIST", "+OK\r\n.\r\n", ""},
		{"text behind the numbers (C-007)", "LIST", "+OK 2 messages\r\n1 120 x\r\n.\r\n", "1:120"},
		{"sizes that cannot be (C-009)", "LIST", "+OK\r\n1 4294967296\r\n2 -5\r\n3 99999999999999999999\r\n.\r\n", "1:4294967296 2:-1 3:-1"},
		{"not in order", "LIST", "+OK\r\n7 1\r\n2 1\r\n.\r\n", "7:1 2:1"},
		{"bare LF", "LIST", "+OK\n1 120\n.\n", "1:120"},
		{"long text", "LIST", "+OK " + long + "\r\n1 120 " + long + "\r\n.\r\n", "1:120"},
		{"one message", "LIST 2", "+OK 2 200\r\n", "200"},

		{"unique-id listing", "UIDL", "+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n.\r\n", `1:"whqtswO00WBw418f9t5JxYwZ" 2:"QhdPYR:00WBw1Ph7x7"`},
		{"case counts (C-033)", "UIDL", "+OK\r\n1 a\r\n2 A\r\n.\r\n", `1:"a" 2:"A"`},
		{"one UID twice (C-032)", "UIDL", "+OK\r\n1 a\r\n2 a\r\n.\r\n", `1:"a" 2:"a"`},
		{"no UID", "UIDL", "+OK\r\n1\r\n2 \r\n3  \r\n.\r\n", `1:"" 2:"" 3:""`},
		{"spaces around", "UIDL", "+OK\r\n1   a b \t\r\n.\r\n", `1:"a b"`},
		{"longer than 70 octets", "UIDL", "+OK\r\n1 " + long + "\r\n.\r\n", `1:"` + long + `"`},
		{"outside ASCII", "UIDL", "+OK\r\n1 \xff\x01\r\n.\r\n", `1:"\xff\x01"`},
		{"UID of a dot", "UIDL", "+OK\r\n1 .\r\n.\r\n", `1:"."`},
		{"one message", "UIDL 2", "+OK 2 QhdPYR:00WBw1Ph7x7\r\n", "QhdPYR:00WBw1Ph7x7"},

		{"message", "RETR 1", "+OK 9 octets\r\na\r\n\r\nb\r\n.\r\n", `9 "a\r\n\r\nb\r\n"`},
		{"nothing but the indicator", "RETR 1", "+OK\r\na\r\n.\r\n", `-1 "a\r\n"`},
		{"empty message", "RETR 1", "+OK\r\n.\r\n", `-1 ""`},
		{"byte-stuffing (C-004)", "RETR 1", "+OK\r\n..\r\n...\r\n.x\r\n..y\r\n.\r\n", `-1 ".\r\n..\r\nx\r\n.y\r\n"`},
		{"dot between bare LFs (C-005)", "RETR 1", "+OK\r\na\n.\nb\r\n.\r\n", `-1 "a\n.\nb\r\n"`},
		{"dot between bare CRs (C-005)", "RETR 1", "+OK\r\na\r.\rb\r\n.\r\n", `-1 "a\r.\rb\r\n"`},
		{"size that is a lie (C-006)", "RETR 1", "+OK 1 octets\r\nabcdef\r\n.\r\n", `1 "abcdef\r\n"`},
		{"size in a sentence", "RETR 1", "+OK Message 12 follows (34 octets)\r\na\r\n.\r\n", `34 "a\r\n"`},
		{"number without a unit", "RETR 1", "+OK 12\r\na\r\n.\r\n", `-1 "a\r\n"`},
		{"NUL and 8 bits", "RETR 1", "+OK\r\n\x00\xff\r\n.\r\n", `-1 "\x00\xff\r\n"`},
		{"server that knows no CR", "RETR 1", "+OK\na\n..b\n.\n", `-1 "a\n.b\n"`},
		{"long line (C-008)", "RETR 1", "+OK\r\n" + long + long + long + "\r\n.\r\n", `-1 "` + long + long + long + `\r\n"`},
		{"header", "TOP 1 0", "+OK\r\nSubject: a\r\n\r\n.\r\n", `"Subject: a\r\n\r\n"`},

		{"command of somebody else's", "*ENV 1", "+OK\r\n..a\r\n\r\nb c\r\n.\r\n", `[".a" "" "b c"]`},

		{"capabilities (C-026)", "CAPA", "+OK list\r\ntOp\r\nX-FOO a b\r\n\r\nEXPIRE 5 USER\r\n.\r\n", "TOP;X-FOO a b;EXPIRE 5 USER"},
		{"no capabilities", "CAPA", "+OK\r\n.\r\n", ""},

		{"text without a space (C-001)", "NOOP", "+OKay\r\n", ""},
		{"no text (C-001)", "DELE 1", "+OK\r\n", ""},
		{"text with a code", "RSET", "+OK [X/Y] done\r\n", ""},
		{"end", "QUIT", "+OK bye\r\n", ""},
	} {
		for _, size := range []int{1, 1 << 20} {
			if len(test.answer) > 4000 && size == 1 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%d", test.command, test.name, size), func(t *testing.T) {
				t.Parallel()
				script := pop3test.Dialogue("S: +OK\nC: "+test.command).Then(pop3test.Send(test.answer), pop3test.ExpectHangUp())
				c := dial(t, script.Segmented(size))
				got, err := do[test.command](t.Context(), c)
				if err != nil {
					t.Fatalf("error: %v", err)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				c.Close()
			})
		}
	}
}

// TestRefusals: -ERR is a *pop3.Error, and the session goes on.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer string
		want   pop3.Error
		is     func(error) bool
	}{
		{"-ERR no such message", pop3.Error{Text: "no such message"}, pop3client.IsUnsupported},
		{"-ERR", pop3.Error{}, pop3client.IsUnsupported},
		{"-err  no", pop3.Error{Text: "no"}, pop3client.IsUnsupported},
		{"-ERR [IN-USE] locked", pop3.Error{Code: pop3.CodeInUse, Text: "locked"}, pop3.IsInUse},
		{"-ERR [AUTH] bad", pop3.Error{Code: pop3.CodeAuth, Text: "bad"}, pop3.IsAuth},
		{"-ERR [sys/temp] t", pop3.Error{Code: pop3.CodeSysTemp, Text: "t"}, pop3.IsTemporary},
		{"-ERR [SYS/TEMP/DISK] t", pop3.Error{Code: "SYS/TEMP/DISK", Text: "t"}, pop3.IsTemporary}, // C-010
		{"-ERR [not a code] t", pop3.Error{Text: "[not a code] t"}, pop3client.IsUnsupported},
		{"-ERR [] t", pop3.Error{Text: "[] t"}, pop3client.IsUnsupported},
		{"-ERR \x1b[31mred\x07 \xff", pop3.Error{Text: "?[31mred? ?"}, pop3client.IsUnsupported}, // C-012
	} {
		for command, f := range do {
			if command == "CAPA" || command == "QUIT" {
				continue // CAPA makes ErrNoCapa of it, QUIT ends the session
			}
			t.Run(command+"/"+test.answer, func(t *testing.T) {
				t.Parallel()
				c := open(t, "C: "+command+"\nS: "+test.answer+"\nC: NOOP\nS: +OK")
				_, err := f(t.Context(), c)
				var got *pop3.Error
				if !errors.As(err, &got) {
					t.Fatalf("error %v, want a *pop3.Error", err)
				}
				if *got != test.want || !test.is(err) {
					t.Errorf("got %#v, want %#v", *got, test.want)
				}
				if err := c.Noop(t.Context()); err != nil {
					t.Errorf("NOOP after the refusal: %v", err)
				}
			})
		}
	}
}

// TestNonsense: an answer that breaks the protocol is a *pop3.ProtocolError and ends the session, as does one beyond the
// limits.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, command, answer string
		tooLong               bool
	}{
		{"neither +OK nor -ERR", "NOOP", "HTTP/1.1 400 Bad Request\r\n", false},
		{"empty line", "NOOP", "\r\n", false},
		{"continuation", "NOOP", "+ \r\n", false},
		{"escape sequence", "NOOP", "\x1b[2J\r\n", false},
		{"no numbers", "STAT", "+OK many\r\n", false},
		{"one number", "STAT", "+OK 2\r\n", false},
		{"negative count", "STAT", "+OK -2 100\r\n", false},
		{"count beyond 31 bits", "STAT", "+OK 4294967296 100\r\n", false},
		{"glued", "STAT", "+OK 2x 100\r\n", false},
		{"no number", "LIST", "+OK\r\nx\r\n.\r\n", false},
		{"number 0", "LIST", "+OK\r\n0 1\r\n.\r\n", false},
		{"number beyond 31 bits", "LIST", "+OK\r\n4294967297 1\r\n.\r\n", false},
		{"no size", "LIST", "+OK\r\n1\r\n.\r\n", false},
		{"empty line", "LIST", "+OK\r\n\r\n.\r\n", false},
		{"another message", "LIST 2", "+OK 1 100\r\n", false},
		{"no numbers", "LIST 2", "+OK\r\n", false},
		{"no number", "UIDL", "+OK\r\nabc\r\n.\r\n", false},
		{"another message", "UIDL 2", "+OK 1 abc\r\n", false},
		{"endless status line", "NOOP", "+OK " + strings.Repeat("x", 100_000) + "\r\n", true},
		{"endless line in a listing", "UIDL", "+OK\r\n1 " + strings.Repeat("x", 100_000) + "\r\n.\r\n", true},
		{"endless listing", "LIST", "+OK\r\n" + strings.Repeat("1 1\r\n", 100_000) + ".\r\n", true},
		{"endless capabilities", "CAPA", "+OK\r\n" + strings.Repeat("X-A\r\n", 100_000) + ".\r\n", true},
		{"endless answer", "*ENV 1", "+OK\r\n" + strings.Repeat("x\r\n", 100_000) + ".\r\n", true},
		{"endless message", "RETR 1", "+OK\r\n" + strings.Repeat("x\r\n", 100_000) + ".\r\n", true},
		{"endless header", "TOP 1 0", "+OK\r\n" + strings.Repeat("x\r\n", 100_000) + ".\r\n", true},
	} {
		t.Run(test.command+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Dialogue("S: +OK\nC: "+test.command).Then(pop3test.MayHangUp(), pop3test.Send(test.answer))
			c := dial(t, script, func(o *pop3client.Options) { o.MaxListing, o.MaxMessage = 100_000, 100_000 })
			_, err := do[test.command](t.Context(), c)
			var protocol *pop3.ProtocolError
			if !errors.As(err, &protocol) {
				t.Fatalf("error %v, want a *pop3.ProtocolError", err)
			}
			if protocol.Op != strings.Fields(test.command)[0] {
				t.Errorf("Op %q, want that of %q", protocol.Op, test.command)
			}
			if errors.Is(err, pop3client.ErrTooLong) != test.tooLong {
				t.Errorf("error %v, is ErrTooLong: %v", err, !test.tooLong)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) || len(err.Error()) > 1000 {
				t.Errorf("error text is not fit to be shown: %q", err)
			}
			if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) || !errors.As(err, &protocol) {
				t.Errorf("NOOP after that: %v, want ErrClosed and the cause", err)
			}
		})
	}
}

// TestArguments: what cannot be sent is refused here, and nothing is sent.
func TestArguments(t *testing.T) {
	t.Parallel()
	c := open(t, "", pop3test.ExpectHangUp())
	ctx := t.Context()
	for name, err := range map[string]error{
		"DELE 0":    c.Dele(ctx, 0),
		"DELE -1":   c.Dele(ctx, -1),
		"DELE 2^31": c.Dele(ctx, 1<<31),
		"RETR 0":    second(c.Retr(ctx, 0)),
		"TOP 0 1":   second(c.Top(ctx, 0, 1)),
		"TOP 1 -1":  second(c.Top(ctx, 1, -1)),
		"LIST 0":    second(c.Size(ctx, 0)),
		"UIDL 0":    second(c.UID(ctx, 0)),
		"two lines": extension(ctx, c, "*ENV 1\r\nDELE 1"),
		"nothing":   extension(ctx, c, ""),
		"too long":  extension(ctx, c, "*ENV "+strings.Repeat("1", 250)),
	} {
		if !errors.Is(err, pop3client.ErrArgument) {
			t.Errorf("%s: error %v, want ErrArgument", name, err)
		}
	}
	c.Close()
}

func extension(ctx context.Context, c *pop3client.Client, command string) (err error) {
	for _, err = range c.Extension(ctx, command) {
	}
	return err
}

func second[T any](_ T, err error) error { return err }

// TestBusy: while a response is being read, no other command is sent, and the reading goes on.
func TestBusy(t *testing.T) {
	t.Parallel()
	c := open(t, `
		C: RETR 1
		S: +OK
		S: a
		S: .
		C: LIST
		S: +OK
		S: 1 3
		S: .
		C: NOOP
		S: +OK
	`)
	ctx := t.Context()
	m, err := c.Retr(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Noop(ctx); !errors.Is(err, pop3client.ErrBusy) {
		t.Errorf("NOOP while a message is open: %v, want ErrBusy", err)
	}
	if b, err := io.ReadAll(m); string(b) != "a\r\n" || err != nil {
		t.Errorf("message %q, %v", b, err)
	}
	for _, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Quit(ctx); !errors.Is(err, pop3client.ErrBusy) {
			t.Errorf("QUIT inside a listing: %v, want ErrBusy", err)
		}
	}
	if err := c.Noop(ctx); err != nil {
		t.Errorf("NOOP after the listing: %v", err)
	}
}

func TestListingLeftEarly(t *testing.T) {
	t.Parallel()
	listing := "+OK\r\n" + strings.Repeat("1 1\r\n", 1000) + ".\r\n"
	for _, test := range []struct {
		name string
		max  int64
		want error
	}{
		{"the rest is skipped", 10_000, nil},
		{"the rest is too long", 4000, pop3client.ErrAbandoned},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := pop3test.Dialogue("S: +OK\nC: LIST").Then(pop3test.MayHangUp(), pop3test.Send(listing)).
				Then(pop3test.Dialogue("C: NOOP\nS: +OK")...)
			c := dial(t, script, func(o *pop3client.Options) { o.MaxDrain = test.max })
			for range c.List(t.Context()) {
				break
			}
			if err := c.Noop(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("NOOP after that: %v, want %v", err, test.want)
			}
		})
	}
}

func TestQuit(t *testing.T) {
	t.Parallel()
	t.Run("ends the session", func(t *testing.T) {
		t.Parallel()
		c := open(t, "C: QUIT\nS: +OK bye", pop3test.ExpectHangUp())
		if err := c.Quit(t.Context()); err != nil {
			t.Errorf("Quit: %v", err)
		}
		if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("Noop after Quit: %v, want ErrClosed", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close after Quit: %v", err)
		}
	})
	t.Run("says when messages were not removed (C-030)", func(t *testing.T) {
		t.Parallel()
		c := open(t, "C: QUIT\nS: -ERR [SYS/TEMP] some deleted messages not removed", pop3test.ExpectHangUp())
		if err := c.Quit(t.Context()); !pop3.IsTemporary(err) {
			t.Errorf("Quit: %v, want the server's error", err)
		}
	})
	t.Run("is confirmed even if the context ends with the answer", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		script := pop3test.Dialogue("S: +OK\nC: QUIT\nS: +OK bye").Then(pop3test.MayHangUp())
		// The trace is heard when the answer has been read, so this is the last moment there is.
		c := dial(t, script, func(o *pop3client.Options) {
			o.Trace = func(sent bool, line string) {
				if !sent && line == "+OK bye" {
					cancel()
				}
			}
		})
		if err := c.Quit(ctx); err != nil {
			t.Errorf("Quit: %v", err)
		}
	})
	t.Run("does not know when the server hangs up", func(t *testing.T) {
		t.Parallel()
		c := open(t, "C: QUIT", pop3test.Cut())
		if err := c.Quit(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Quit: %v, want io.ErrUnexpectedEOF", err)
		}
	})
}

func TestCapaIsKept(t *testing.T) {
	t.Parallel()
	c := open(t, `
		C: CAPA
		S: +OK
		S: USER
		S: .
		C: USER mrose
		S: +OK
		C: PASS secret
		S: +OK
		C: CAPA
		S: +OK
		S: PIPELINING
		S: .
	`, pop3test.ExpectHangUp())
	for _, want := range []string{"USER", "USER", "", "PIPELINING", "PIPELINING"} {
		if want == "" {
			if err := c.Login(t.Context(), "mrose", "secret"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := do["CAPA"](t.Context(), c)
		if err != nil || got != want {
			t.Errorf("Capa: %q, %v, want %q", got, err, want)
		}
	}
	c.Close()
}

func TestNoCapa(t *testing.T) {
	t.Parallel()
	c := open(t, "C: CAPA\nS: -ERR unknown command", pop3test.ExpectHangUp())
	for range 2 {
		if _, err := c.Capa(t.Context()); !errors.Is(err, pop3client.ErrNoCapa) {
			t.Errorf("Capa: %v, want ErrNoCapa", err)
		}
	}
	c.Close()
}
