package terminal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func TestEditLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxPassword)
	for _, tt := range []struct{ typed, want, err string }{
		{"secret\r", "secret", ""},
		{"secret\n", "secret", ""},
		{"\r", "", ""},
		{"a\x7fb\x08c\r", "c", ""},
		{"\x7f\x7fa\r", "a", ""},
		{"gr\u00fc\u00df\x7f\x7fe\r", "gre", ""},
		{"\U0001f511\x7f\u20ac\r", "\u20ac", ""},
		{"wrong\x15right\r", "right", ""},
		{"a\x1b[A\x1bOP\x1b[15~b\r", "ab", ""}, // Up, F1, F5
		{"a\x1b\x1b[Db\x1bc\r", "abc", ""},     // Escape, Escape, Left, Escape
		{"a\x01\tb\r", "ab", ""},
		{"a\x03", "", "interrupted"},
		{"a\x04", "", "interrupted"},
		{"a", "", "interrupted"},
		{"\xff\r", "", "the password is not in UTF-8: set the terminal to UTF-8"},
		{long + "\r", long, ""},
		{long + "x", "", "the password is longer than 1024 octets"},
	} {
		got, err := editLine(strings.NewReader(tt.typed))
		if got != tt.want || message(err) != tt.err {
			t.Errorf("%.40q: got %.40q, %q", tt.typed, got, message(err))
		}
	}
}

func FuzzEditLine(f *testing.F) {
	f.Add("a\x7fb\x15\x1b[A\u20ac\xffc\r")
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := editLine(strings.NewReader(typed))
		if err == nil && (len(got) > MaxPassword || strings.ContainsAny(got, "\r\n\x00\x1b\x7f")) {
			t.Errorf("%q gives %q", typed, got)
		}
	})
}

func TestPasswordFrom(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxPassword)
	for _, tt := range []struct{ in, want, err string }{
		{"secret", "secret", ""},
		{"secret\n", "secret", ""},
		{"secret\r\n", "secret", ""},
		{" spaces stay \n", " spaces stay ", ""},
		{long + "\r\n", long, ""},
		{"", "", "the password on standard input is empty"},
		{"\n", "", "the password on standard input is empty"},
		{"a\nb\n", "", "the password on standard input has more than one line"},
		{"a\x00\n", "", "the password on standard input has a NUL octet"},
		{long + "x", "", "the password on standard input is longer than 1024 octets"},
		{strings.Repeat("x", 1<<20), "", "the password on standard input is longer than 1024 octets"},
	} {
		got, err := PasswordFrom(strings.NewReader(tt.in))
		if got != tt.want || message(err) != tt.err {
			t.Errorf("%.40q: got %.40q, %q", tt.in, got, message(err))
		}
	}
	if _, err := PasswordFrom(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

// On a real terminal the password is not shown, and the terminal is as it was afterwards.
func TestPasswordOnATerminal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typed, want, err string }{
		{"hunter2\r", "hunter2", ""},
		{"hunter2\x03", "", "interrupted"},
	} {
		person, tty := openPTY(t)
		before, err := term.GetState(int(tty.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		shown := typist(person, turn{"Password: ", tt.typed})
		got, err := on(tty).Password("Password: ")
		if got != tt.want || message(err) != tt.err {
			t.Errorf("got %q, %q; want %q, %q", got, message(err), tt.want, tt.err)
		}
		after, err := term.GetState(int(tty.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if *before != *after {
			t.Errorf("the terminal was %+v, is %+v", before, after)
		}
		tty.Close()
		if s := <-shown; s != "Password: \r\n" {
			t.Errorf("shown: %q", s)
		}
	}
}

func TestNewPasswordOnATerminal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		turns     []turn
		want, err string
		shown     string
	}{
		{
			"twice the same",
			[]turn{{"New: ", "a\r"}, {"more: ", "a\r"}},
			"a", "", "New: \r\nOnce more: \r\n",
		},
		{
			"at the third try",
			[]turn{{"New: ", "\r"}, {"New: ", "a\r"}, {"more: ", "b\r"}, {"New: ", "c\r"}, {"more: ", "c\r"}},
			"c", "",
			"New: \r\nAn empty password cannot be used.\r\nNew: \r\nOnce more: \r\nThese are not the same.\r\nNew: \r\nOnce more: \r\n",
		},
		{
			"never",
			[]turn{{"New: ", "\r"}, {"New: ", "\r"}, {"New: ", "\r"}},
			"", "no password was entered",
			strings.Repeat("New: \r\nAn empty password cannot be used.\r\n", 3),
		},
		{"interrupted", []turn{{"New: ", "a\r"}, {"more: ", "\x03"}}, "", "interrupted", "New: \r\nOnce more: \r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			person, tty := openPTY(t)
			shown := typist(person, tt.turns...)
			got, err := on(tty).NewPassword("New: ")
			if got != tt.want || message(err) != tt.err {
				t.Errorf("got %q, %q; want %q, %q", got, message(err), tt.want, tt.err)
			}
			tty.Close()
			if s := <-shown; s != tt.shown {
				t.Errorf("shown:\n%q\nwant\n%q", s, tt.shown)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{"y\r": true, "YES\r": true, " yes \r": true, "\r": false, "n\r": false, "yes please\r": false} {
		person, tty := openPTY(t)
		shown := typist(person, turn{"[y/N] ", typed})
		got, err := on(tty).Confirm("Remove kim?")
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v", typed, got, err)
		}
		tty.Close()
		if s := <-shown; !strings.HasPrefix(s, "Remove kim? [y/N] ") {
			t.Errorf("shown: %q", s)
		}
	}
}

func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() (*os.File, error){
		"no terminal":    func() (*os.File, error) { return nil, os.ErrNotExist },
		"not a terminal": func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) },
	} {
		term := New(io.Discard, os.Getenv)
		term.ask = open
		if _, err := term.Password("?"); !errors.Is(err, ErrNoTerminal) {
			t.Errorf("%s: Password: %v", name, err)
		}
		if _, err := term.NewPassword("?"); !errors.Is(err, ErrNoTerminal) {
			t.Errorf("%s: NewPassword: %v", name, err)
		}
		if ok, err := term.Confirm("?"); ok || err == nil {
			t.Errorf("%s: Confirm: %v, %v", name, ok, err)
		}
	}
}

// on returns a Terminal that asks on tty.
func on(tty *os.File) *Terminal {
	t := New(io.Discard, os.Getenv)
	t.ask = func() (*os.File, error) {
		fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0) // so that the test's own stays open
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), "tty"), nil
	}
	return t
}

// A turn is what a person types after a text was shown.
type turn struct{ after, typed string }

// typist plays a person, and sends what was shown when the other side has closed the terminal.
func typist(person *os.File, turns ...turn) <-chan string {
	shown := make(chan string, 1)
	go func() {
		var all, since strings.Builder
		r := bufio.NewReader(person)
		for {
			c, err := r.ReadByte()
			if err != nil { // EIO: nobody has the other side open
				shown <- all.String()
				return
			}
			all.WriteByte(c)
			since.WriteByte(c)
			if len(turns) > 0 && strings.HasSuffix(since.String(), turns[0].after) {
				if _, err := person.WriteString(turns[0].typed); err != nil {
					shown <- err.Error()
					return
				}
				turns = turns[1:]
				since.Reset()
			}
		}
	}()
	return shown
}

// openPTY opens a pseudo-terminal: the person's side, and the program's.
func openPTY(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { tty.Close() })
	return person, tty
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
