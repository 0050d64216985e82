package terminal

import (
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
)

// A Terminal writes to a person, or to a file in place of one. It is used by one goroutine.
type Terminal struct {
	out   io.Writer
	width func() int // columns; 0 for none: not a terminal
	color bool
	quiet bool // no progress
	now   func() time.Time
	ask   func() (*os.File, error) // opens the terminal that questions are asked on
}

// New returns a Terminal that writes to out. If out is a terminal (an *os.File), there are bars and colors.
// getenv is os.Getenv.
func New(out io.Writer, getenv func(string) string) *Terminal {
	t := &Terminal{
		out:   out,
		width: func() int { return 0 },
		now:   time.Now,
		ask:   func() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) },
	}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" {
		return t
	}
	t.width = func() int {
		const usual = 80
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
		return usual
	}
	t.color = getenv("NO_COLOR") == "" // no-color.org
	return t
}

// Quiet turns progress off, for --json.
func (t *Terminal) Quiet() { t.quiet = true }

// Interactive tells whether a person sees what is written.
func (t *Terminal) Interactive() bool { return t.width() > 0 }

// Bold returns s in bold, if there are colors.
func (t *Terminal) Bold(s string) string { return t.paint("1", s) }

// Good returns s in green, if there are colors.
func (t *Terminal) Good(s string) string { return t.paint("32", s) }

// Bad returns s in red, if there are colors.
func (t *Terminal) Bad(s string) string { return t.paint("31", s) }

func (t *Terminal) paint(code, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Printable returns s with everything that is not a letter, sign or plain space replaced by "?".
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '?'
	}, s)
}
