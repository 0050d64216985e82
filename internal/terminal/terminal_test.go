package terminal

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is a terminal of so many columns (0: a file), with a clock that stands still.
func screen(width int) (*Terminal, *bytes.Buffer, *time.Time) {
	out := new(bytes.Buffer)
	now := time.Unix(0, 0)
	t := New(out, func(string) string { return "" })
	t.width = func() int { return width }
	t.now = func() time.Time { return now }
	return t, out, &now
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	term, out, now := screen(60)
	const mib = 1 << 20
	p := term.Progress("import", 8*mib, Octets)
	next := func() string {
		line := strings.TrimSuffix(strings.TrimPrefix(out.String(), "\r"), "\x1b[K")
		out.Reset()
		return line
	}
	want := func(text string) {
		t.Helper()
		if got := next(); got != text {
			t.Errorf("\n got %q\nwant %q", got, text)
		}
	}
	want("import [" + strings.Repeat(" ", 31) + "] 0%  0 B of 8.0 MiB")
	p.Add(mib)
	want("") // too early
	*now = now.Add(time.Second)
	p.Add(mib)
	want("import [=     ] 25%  2.0 MiB of 8.0 MiB  2.0 MiB/s  3s left")
	*now = now.Add(99 * time.Millisecond)
	p.Add(1)
	want("")
	*now = now.Add(2 * time.Second)
	p.Set(4 * mib)
	want("import [===   ] 50%  4.0 MiB of 8.0 MiB  1.6 MiB/s  2s left")
	p.Set(8 * mib)
	p.Done()
	if got, want := out.String(), "\r\x1b[Kimport: 8.0 MiB in 3s, 2.6 MiB/s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	p.Add(1)
	p.Done()
	want("")
}

func TestProgressWithoutTotal(t *testing.T) {
	t.Parallel()
	term, out, now := screen(80)
	p := term.Progress("a\x1b[2Jb", 0, Messages)
	*now = now.Add(time.Second)
	p.Add(50)
	if got, want := out.String(), "\ra?[2Jb  0\x1b[K\ra?[2Jb  50  50/s\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// However narrow the window, a line stays a line.
func TestProgressNeverWraps(t *testing.T) {
	t.Parallel()
	for width := 1; width < 100; width++ {
		term, out, now := screen(width)
		p := term.Progress("import of many messages", 1<<40, Octets)
		*now = now.Add(time.Minute)
		p.Add(1 << 39)
		for line := range strings.SplitSeq(out.String(), "\r") {
			if n := len([]rune(strings.TrimSuffix(line, "\x1b[K"))); n >= width {
				t.Errorf("%d columns: a line of %d: %q", width, n, line)
			}
		}
	}
}

func TestProgressInAFile(t *testing.T) {
	t.Parallel()
	term, out, now := screen(0)
	p := term.Progress("check", 4000, Messages)
	for range 4000 {
		*now = now.Add(7 * time.Millisecond)
		p.Add(1)
	}
	p.Done()
	want := "check: 35%  1429 of 4000  142/s  17s left\n" +
		"check: 71%  2858 of 4000  142/s  7s left\n" +
		"check: 4000 in 28s, 142/s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	for _, width := range []int{0, 80} {
		term, out, now := screen(width)
		term.Quiet()
		p := term.Progress("x", 1, Octets)
		*now = now.Add(time.Hour)
		p.Add(1)
		p.Done()
		if out.Len() > 0 {
			t.Errorf("%q", out)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{
		Header: []string{"User", "Messages", "Subject"},
		Right:  []int{1},
		Rows: [][]string{
			{"kim", "12", "Gr\u00fc\u00dfe \u65e5\u672c"},
			{"a-very-long-account-name", "1234567", "clear\x1b[2J\nthe screen"},
			{"short"},
			{"a", "b", "c", "one too many"},
		},
	}
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, `User                      Messages  Subject
kim                             12  Gr` + "\u00fc\u00dfe \u65e5\u672c" + `
a-very-long-account-name   1234567  clear?[2J?the screen
short
a                                b  c
`},
		{40, `User            Messages  Subject
kim                   12  Gr` + "\u00fc\u00dfe \u65e5\u672c" + `
a-very-long...   1234567  clear?[2J?t...
short
a                      b  c
`},
		{10, `User      Messages  Subject
kim             12  Gr` + "\u00fc\u00dfe \u65e5\u672c" + `
a-ver...   1234567  clear...
short
a                b  c
`},
	} {
		term, out, _ := screen(tt.width)
		if err := term.Print(table); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%d columns (-want +got)\n%s", tt.width, diff)
		}
	}
}

func TestColors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env         map[string]string
		interactive bool
		want        string
	}{
		{map[string]string{"TERM": "xterm"}, true, "\x1b[32mok\x1b[0m"},
		{map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, true, "ok"},
		{map[string]string{"TERM": "dumb"}, false, "ok"},
	} {
		_, tty := openPTY(t)
		term := New(tty, func(k string) string { return tt.env[k] })
		if got := term.Good("ok"); got != tt.want || term.Interactive() != tt.interactive {
			t.Errorf("%v: got %q, %v", tt.env, got, term.Interactive())
		}
	}
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	term := New(file, func(string) string { return "" })
	if got := term.Bold("a") + term.Good("b") + term.Bad("c"); got != "abc" || term.Interactive() {
		t.Errorf("in a file: %q, %v", got, term.Interactive())
	}
}

func TestFormatOctets(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 8 << 20: "8.0 MiB", 1000 << 10: "1.0 MiB", 5 << 40: "5.0 TiB", 1 << 62: "4096.0 PiB",
	} {
		if got := FormatOctets(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0ms", 450 * time.Millisecond: "450ms", 59900 * time.Millisecond: "59s", 185 * time.Second: "3m05s", 127 * time.Minute: "2h07m", 300 * time.Hour: "300h00m",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func ExampleTerminal_Print() {
	t := New(os.Stdout, os.Getenv)
	if err := t.Print(Table{
		Header: []string{"Account", "Messages"},
		Right:  []int{1},
		Rows:   [][]string{{"kim", "12"}, {"robin", "4711"}},
	}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Account  Messages
	// kim            12
	// robin        4711
}
