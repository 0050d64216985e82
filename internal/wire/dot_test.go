package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// bodies are messages as they are stored, as they must show (CRLF line ends), and as they go over the wire.
var bodies = []struct {
	name, stored, shown, wire string
}{
	{"empty (S-055)", "", "", ".\r\n"},
	{"no line end (S-052)", "a", "a\r\n", "a\r\n.\r\n"},
	{"plain", "a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
	{"LF only (S-050)", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
	{"mixed", "a\nb\r\nc\n", "a\r\nb\r\nc\r\n", "a\r\nb\r\nc\r\n.\r\n"},
	{"first octet is a dot (S-042)", ".a\r\n", ".a\r\n", "..a\r\n.\r\n"},
	{"dots (S-041)", ".\r\n..\r\n.x\r\n", ".\r\n..\r\n.x\r\n", "..\r\n...\r\n..x\r\n.\r\n"},
	{"an end inside (S-053)", "x\n.\ny", "x\r\n.\r\ny\r\n", "x\r\n..\r\ny\r\n.\r\n"},
	{"dot at the very end", "x\n.", "x\r\n.\r\n", "x\r\n..\r\n.\r\n"},
	{"bare CR is kept (S-054)", "a\rb\r\n", "a\rb\r\n", "a\rb\r\n.\r\n"},
	{"CR dot is no line start", "a\r.\r\n", "a\r.\r\n", "a\r.\r\n.\r\n"},
	{"CR at the end", "a\r", "a\r\r\n", "a\r\r\n.\r\n"},
	{"CR CR LF", "a\r\r\nb\n", "a\r\r\nb\r\n", "a\r\r\nb\r\n.\r\n"},
	{"empty lines", "\n\n\r\n", "\r\n\r\n\r\n", "\r\n\r\n\r\n.\r\n"},
	{"NUL", "\x00\n", "\x00\r\n", "\x00\r\n.\r\n"},
	{"long line (S-057)", strings.Repeat("z", 100_000) + "\n", strings.Repeat("z", 100_000) + "\r\n", strings.Repeat("z", 100_000) + "\r\n.\r\n"},
}

// cuts calls f with s cut in two at every place, or at some if s is long.
func cuts(s string, f func(a, b string)) {
	step := max(1, len(s)/50)
	for i := 0; i <= len(s); i += step {
		f(s[:i], s[i:])
	}
}

func TestDotWriter(t *testing.T) {
	t.Parallel()
	for _, tt := range bodies {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []Form{Text, CRLF} {
				in := tt.stored
				if form == CRLF {
					in = tt.shown
				}
				cuts(in, func(a, b string) {
					var out bytes.Buffer
					d := NewDotWriter(&out, form)
					io.WriteString(d, a)
					io.WriteString(d, b)
					if err := d.Close(); err != nil {
						t.Fatalf("form %d: Close: %v", form, err)
					}
					if out.String() != tt.wire {
						t.Fatalf("form %d, %q + %q: got %q, want %q", form, a, b, out.String(), tt.wire)
					}
					if d.Octets() != int64(len(tt.shown)) {
						t.Fatalf("form %d, %q + %q: %d octets, want %d (S-051)", form, a, b, d.Octets(), len(tt.shown))
					}
				})
			}
		})
	}
}

// TestDotWriterOverEdges puts dots where buffers of usual sizes end (S-042).
func TestDotWriterOverEdges(t *testing.T) {
	t.Parallel()
	for _, at := range []int{4095, 4096, 8191, 8192, BufferSize - 1, BufferSize, BufferSize + 1} {
		in := strings.Repeat("q", at-2) + "\r\n.\r\n"
		var out bytes.Buffer
		w := NewWriter(&out)
		d := NewDotWriter(w, CRLF)
		if _, err := io.CopyBuffer(struct{ io.Writer }{d}, struct{ io.Reader }{strings.NewReader(in)}, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := in[:at] + "..\r\n.\r\n"; out.String() != want {
			t.Errorf("dot at %d: wrong octets", at)
		}
	}
}

// TestBrokenPromise: content that was promised to end with CRLF and does not is not followed by a terminating line that
// would be none.
func TestBrokenPromise(t *testing.T) {
	t.Parallel()
	for _, form := range []Form{CRLF, Verbatim} {
		for _, in := range []string{"a", "a\n", "a\r\nb", "a\r", "\n"} {
			cuts(in, func(a, b string) {
				var out bytes.Buffer
				d := NewDotWriter(&out, form)
				io.WriteString(d, a)
				io.WriteString(d, b)
				if err := d.Close(); err != ErrUnfinishedLine || out.String() != in {
					t.Errorf("form %d, %q + %q: Close: %v, wrote %q", form, a, b, err, out.String())
				}
			})
		}
	}
	var out bytes.Buffer
	d := NewDotWriter(&out, CRLF)
	io.WriteString(d, "a\n.\nb\r\n")
	if err := d.Close(); err != nil || out.String() != "a\n..\nb\r\n.\r\n" {
		t.Errorf("a dot after a bare LF: %v, wrote %q", err, out.String())
	}
}

// countingWriter counts calls.
type countingWriter struct{ calls, octets int }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.calls++
	c.octets += len(p)
	return len(p), nil
}

// TestDotWriterWritesBlocks pins that a body goes on in blocks, one call for each dot and not for each line.
func TestDotWriterWritesBlocks(t *testing.T) {
	t.Parallel()
	block := []byte(strings.Repeat("an ordinary line\r\n", 1000))
	for _, form := range []Form{Text, CRLF, Verbatim} {
		var c countingWriter
		d := NewDotWriter(&c, form)
		d.Write(block)
		if c.calls != 1 {
			t.Errorf("form %d: %d calls for a block without dots", form, c.calls)
		}
	}
}

func TestDotReader(t *testing.T) {
	t.Parallel()
	for _, tt := range bodies {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tt.wire + "+OK next\r\n"
			for name, r := range map[string]io.Reader{
				"whole":     strings.NewReader(in),
				"octetwise": iotest.OneByteReader(strings.NewReader(in)),
				"halves":    iotest.HalfReader(strings.NewReader(in)),
			} {
				l := NewLineReader(r, 0)
				d := l.DotReader(-1)
				got, err := io.ReadAll(d)
				if err != nil || string(got) != tt.shown || !d.Ended() || d.Octets() != int64(len(tt.shown)) {
					t.Fatalf("%s: got %q, %v, ended %v, %d octets", name, got, err, d.Ended(), d.Octets())
				}
				if line, err := l.ReadLine(255); string(line) != "+OK next" || err != nil {
					t.Fatalf("%s: next line %q, %v", name, line, err)
				}
			}
			cuts(in, func(a, b string) {
				l := NewLineReader(io.MultiReader(strings.NewReader(a), strings.NewReader(b)), 0)
				var got bytes.Buffer
				n, err := l.DotReader(-1).WriteTo(&got)
				if err != nil || got.String() != tt.shown || n != int64(len(tt.shown)) {
					t.Fatalf("cut after %d: got %q, %d, %v", len(a), got.String(), n, err)
				}
			})
		})
	}
}

func TestDotReaderOddities(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		bare     bool
		out      string
		err      error
	}{
		{"LF dot LF is content (C-005)", "a\n.\nb\r\n.\r\n", false, "a\n.\nb\r\n", nil},
		{"CR dot CR is content (C-005)", "a\r.\rb\r\n.\r\n", false, "a\r.\rb\r\n", nil},
		{"dot CR something", ".\rx\r\n.\r\n", false, "\rx\r\n", nil},
		{"LF server", "a\n..b\n.\n", true, "a\n.b\n", nil},
		{"LF server that ends with CRLF", "a\n.\r\n", true, "a\n", nil},
		{"cut before the end", "a\r\n", false, "a\r\n", io.ErrUnexpectedEOF},
		{"cut after the dot", "a\r\n.", false, "a\r\n", io.ErrUnexpectedEOF},
		{"cut after dot CR", "a\r\n.\r", false, "a\r\n", io.ErrUnexpectedEOF},
		{"cut in a line", "abc", false, "abc", io.ErrUnexpectedEOF},
		{"nothing", "", false, "", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, r := range map[string]io.Reader{
				"whole":     strings.NewReader(tt.in),
				"octetwise": iotest.OneByteReader(strings.NewReader(tt.in)),
			} {
				l := NewLineReader(r, 0)
				l.BareLF = tt.bare
				d := l.DotReader(-1)
				got, err := io.ReadAll(d)
				if string(got) != tt.out || err != tt.err || d.Ended() != (tt.err == nil) {
					t.Errorf("%s: got %q, %v, ended %v", name, got, err, d.Ended())
				}
			}
		})
	}
}

func TestDotReaderLimit(t *testing.T) {
	t.Parallel()
	in := strings.Repeat("x", 2000) + "\r\n.\r\n"
	if got, err := io.ReadAll(NewLineReader(strings.NewReader(in), 0).DotReader(2002)); len(got) != 2002 || err != nil {
		t.Errorf("at the limit: %d octets, %v", len(got), err)
	}
	got, err := io.ReadAll(NewLineReader(strings.NewReader(in), 0).DotReader(2001))
	if len(got) > 2001 || err != ErrTooLong {
		t.Errorf("over the limit: %d octets, %v", len(got), err)
	}
}
