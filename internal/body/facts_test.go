package body_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/postamt/postamt/internal/body"
)

// The form of a body, rule by rule.
var forms = []struct {
	name, in, want string
	header         int64
	wire           bool
}{
	{"empty", "", "", 0, true},
	{"ready", "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n", 8, true},
	{"bare LF", "A: b\n\nc\n", "A: b\r\n\r\nc\r\n", 8, true},
	{"mixed line ends", "A: b\r\n\nc\n", "A: b\r\n\r\nc\r\n", 8, true},
	{"no last line end", "A: b\r\n\r\nc", "A: b\r\n\r\nc\r\n", 8, true},
	{"no header end", "A: b\r\nC: d\r\n", "A: b\r\nC: d\r\n", 12, true},
	{"only LF", "\n", "\r\n", 2, true},
	{"only CRLF", "\r\n", "\r\n", 2, true},
	{"empty line first", "\r\nA: b\r\n\r\n", "\r\nA: b\r\n\r\n", 2, true},
	{"bare CR in a line", "a\rb\r\n\r\n", "a\rb\r\n\r\n", 7, true},
	{"bare CR is no line end", "a\r\r\nb\r\n", "a\r\r\nb\r\n", 7, true},
	{"CR CR LF is no empty line", "a\r\n\r\r\nb", "a\r\n\r\r\nb\r\n", 9, true},
	{"bare CR last", "a\r", "a\r\r\n", 4, true},
	{"only CR", "\r", "\r\r\n", 3, true},
	{"NUL and 8 bit", "a\x00b\xff\n\n\x00", "a\x00b\xff\r\n\r\n\x00\r\n", 8, true},
	{"dot first", ".\r\n", ".\r\n", 3, false},
	{"dot after CRLF", "a\r\n.b\r\n", "a\r\n.b\r\n", 7, false},
	{"dot after bare LF", "a\n.\nb", "a\r\n.\r\nb\r\n", 9, false},
	{"dot after bare CR", "a\r.\r\n", "a\r.\r\n", 5, true},
	{"dot inside", "a.b\r\n .\r\n", "a.b\r\n .\r\n", 9, true},
	{"LF LF LF", "\n\n\n", "\r\n\r\n\r\n", 2, true},
}

func TestForm(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	for _, tt := range forms {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := body.Facts{
				Octets: int64(len(tt.want)), Header: tt.header, Wire: tt.wire,
				SHA256: sha256.Sum256([]byte(tt.want)),
			}
			// Every way to cut it into two, and octet by octet.
			for i := range len(tt.in) + 1 {
				id, facts := store(t, d, tt.in[:i], tt.in[i:])
				if got := load(t, d, id, facts.Octets); got != tt.want {
					t.Errorf("cut at %d: stored %q, want %q", i, got, tt.want)
				}
				if facts != want {
					t.Errorf("cut at %d: facts %+v, want %+v", i, facts, want)
				}
			}
			facts, err := body.Measure(iotest.OneByteReader(strings.NewReader(tt.in)))
			if err != nil || facts != want {
				t.Errorf("Measure: %+v, %v, want %+v", facts, err, want)
			}
		})
	}
}

// naive is the form and the facts, said as plainly as possible.
func naive(in string) (string, body.Facts) {
	f := body.Facts{Wire: true}
	var out strings.Builder
	header := false
	for line := range strings.Lines(in) {
		if rest, ok := strings.CutSuffix(line, "\n"); ok {
			line = strings.TrimSuffix(rest, "\r")
		}
		f.Wire = f.Wire && !strings.HasPrefix(line, ".")
		out.WriteString(line + "\r\n")
		if line == "" && !header {
			header, f.Header = true, int64(out.Len())
		}
	}
	f.Octets = int64(out.Len())
	if !header {
		f.Header = f.Octets
	}
	f.SHA256 = sha256.Sum256([]byte(out.String()))
	return out.String(), f
}

// piece makes messages that are mostly line ends, CRs and dots.
func piece(t *rapid.T) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("\r\n\r\n..ab\x00")), 0, 40, -1).Draw(t, "piece")
}

func TestFormModel(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	rapid.Check(t, func(rt *rapid.T) {
		pieces := rapid.SliceOfN(rapid.Custom(piece), 0, 6).Draw(rt, "pieces")
		// Now and then something larger than a block in front.
		if rapid.IntRange(0, 9).Draw(rt, "large") == 0 {
			pieces = append([]string{strings.Repeat("x", rapid.IntRange(65530, 65540).Draw(rt, "octets"))}, pieces...)
		}
		want, wantFacts := naive(strings.Join(pieces, ""))
		id, facts := store(t, d, pieces...)
		if got := load(t, d, id, facts.Octets); got != want {
			rt.Fatalf("stored %q, want %q", got, want)
		}
		if facts != wantFacts {
			rt.Fatalf("facts %+v, want %+v", facts, wantFacts)
		}
		if err := d.Remove(t.Context(), id); err != nil {
			rt.Fatal(err)
		}
	})
}

func FuzzMeasure(f *testing.F) {
	for _, tt := range forms {
		f.Add([]byte(tt.in), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, chunk int) {
		stored, want := naive(string(in))
		got, err := body.Measure(&chunkReader{in, max(chunk, 1)})
		if err != nil || got != want {
			t.Fatalf("%+v, %v, want %+v", got, err, want)
		}
		// The stored form is its own stored form.
		if again, err := body.Measure(strings.NewReader(stored)); err != nil || again != want {
			t.Fatalf("of the stored form: %+v, %v, want %+v", again, err, want)
		}
	})
}

// A chunkReader gives at most n octets at a time.
type chunkReader struct {
	b []byte
	n int
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	k := copy(p, r.b[:min(r.n, len(r.b))])
	r.b = r.b[k:]
	return k, nil
}

func TestMeasureReportsReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	if _, err := body.Measure(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// A delivery costs a fixed number of allocations, whatever its size.
func TestAllocations(t *testing.T) {
	d, _ := newDisk(t, body.Options{})
	small := []byte("A: b\r\n\r\nc\r\n")
	large := bytes.Repeat([]byte("a line of a message, of a usual length, with a bare LF at its end\n"), 1<<16)
	deliver := func(p []byte) float64 {
		return testing.AllocsPerRun(20, func() {
			w, err := d.Create(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.Finish(); err != nil {
				t.Fatal(err)
			}
		})
	}
	const most = 20
	if got := deliver(small); got > most {
		t.Errorf("a small message costs %v allocations, want at most %d", got, most)
	}
	if got := deliver(large); got > most+2 { // the pools may have been emptied meanwhile
		t.Errorf("a large message costs %v allocations, want at most %d", got, most+2)
	}
}

func BenchmarkMeasure(b *testing.B) {
	for _, bb := range []struct{ name, line string }{
		{"CRLF", "a line of a message, of a usual length, with CR and LF at its end\r\n"},
		{"LF", "a line of a message, of a usual length, with a bare LF at its end\n"},
		{"long", strings.Repeat("x", 1<<20)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			text := []byte(strings.Repeat(bb.line, 1+(1<<20)/len(bb.line)))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := body.Measure(bytes.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The line end that is added at the end may be what fills the block.
func TestLastLineEndFillsTheBlock(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t, body.Options{})
	for octets := body.MaxLoad - 3; octets <= body.MaxLoad+1; octets++ {
		text := strings.Repeat("x", octets)
		want, wantFacts := naive(text)
		id, facts := store(t, d, text)
		if got := load(t, d, id, facts.Octets); got != want || facts != wantFacts {
			t.Errorf("%d octets: stored %d, facts %+v, want %d, %+v", octets, len(got), facts, len(want), wantFacts)
		}
	}
}
