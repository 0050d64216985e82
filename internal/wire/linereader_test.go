package wire

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads lines until an error that ends the stream.
func readAll(l *LineReader, limit int) (lines []string, err error) {
	for {
		line, err := l.ReadLine(limit)
		switch {
		case errors.Is(err, ErrLineTooLong):
			lines = append(lines, "<too long>")
		case err != nil:
			return lines, err
		default:
			lines = append(lines, string(line))
		}
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 253)
	tests := []struct {
		name  string
		in    string
		bare  bool
		lines []string
		err   error
	}{
		{"lines", "NOOP\r\n\r\nQUIT\r\n", false, []string{"NOOP", "", "QUIT"}, io.EOF},
		{"bare CR ends nothing (S-033)", "NOOP\rNOOP\r\n", false, []string{"NOOP\rNOOP"}, io.EOF},
		{"bare LF ends nothing (S-033)", "NOOP\nNOOP\r\n", false, []string{"NOOP\nNOOP"}, io.EOF},
		{"bare LF by option (S-033)", "NOOP\nSTAT\r\n\n", true, []string{"NOOP", "STAT", ""}, io.EOF},
		{"CR CR LF keeps one CR", "a\r\r\n", false, []string{"a\r"}, io.EOF},
		{"255 octets (S-034)", long + "\r\n", false, []string{long}, io.EOF},
		{"256 octets (S-035)", long + "a\r\nNOOP\r\n", false, []string{"<too long>", "NOOP"}, io.EOF},
		{"very long, in sync afterwards (S-035)", strings.Repeat("x", 100_000) + "\r\nNOOP\r\n", false, []string{"<too long>", "NOOP"}, io.EOF},
		{"very long, with bare CR and LF inside", strings.Repeat("x\r\ry\n\n", 1000) + "\r\nNOOP\r\n", false, []string{"<too long>", "NOOP"}, io.EOF},
		{"cut line is never returned (S-022)", "NOOP\r\nQUIT", false, []string{"NOOP"}, io.ErrUnexpectedEOF},
		{"cut after CR", "QUIT\r", false, nil, io.ErrUnexpectedEOF},
		{"cut in a long line", strings.Repeat("x", 1000), false, nil, io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, r := range map[string]io.Reader{
				"whole":       strings.NewReader(tt.in),
				"octetwise":   iotest.OneByteReader(strings.NewReader(tt.in)),
				"err with it": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				l := NewLineReader(r, 0)
				l.BareLF = tt.bare
				lines, err := readAll(l, 255)
				if strings.Join(lines, "|") != strings.Join(tt.lines, "|") || err != tt.err {
					t.Errorf("%s: got %q, %v; want %q, %v", name, lines, err, tt.lines, tt.err)
				}
			}
		})
	}
}

// TestReadLineAfterTimeout: a Read that fails for now, such as one at its deadline, costs nothing of a line, also not of one
// that is being thrown away.
func TestReadLineAfterTimeout(t *testing.T) {
	t.Parallel()
	in := "NOOP\r\n" + strings.Repeat("x\r\ry\n\n", 1000) + "\r\nQUIT\r\n"
	l := NewLineReader(&hesitant{r: strings.NewReader(in)}, 0)
	for _, want := range []string{"NOOP", "", "QUIT"} {
		line, err := l.ReadLine(255)
		for errors.Is(err, os.ErrDeadlineExceeded) {
			if l.Buffered() == 0 {
				l.Rest()
			}
			line, err = l.ReadLine(255)
		}
		if string(line) != want || want == "" && err != ErrLineTooLong || want != "" && err != nil {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
	// What was thrown away before counts.
	l = NewLineReader(&hesitant{r: endless('x')}, 0)
	_, err := l.ReadLine(255)
	for errors.Is(err, os.ErrDeadlineExceeded) {
		_, err = l.ReadLine(255)
	}
	if err != ErrEndlessLine {
		t.Errorf("endless: %v", err)
	}
}

// A hesitant reader fails for now each other time.
type hesitant struct {
	r     io.Reader
	ready bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.ready = !h.ready; h.ready {
		return 0, os.ErrDeadlineExceeded
	}
	return h.r.Read(p)
}

// TestReadLineBoundPerRead reads commands of 255 octets and SASL lines of 12288 with one reader, and sees it return to
// its small buffer.
func TestReadLineBoundPerRead(t *testing.T) {
	t.Parallel()
	sasl := strings.Repeat("A", 12286)
	l := NewLineReader(strings.NewReader("AUTH PLAIN\r\n"+sasl+"\r\n"+sasl+"A\r\nNOOP\r\n"), 0)
	if line, err := l.ReadLine(255); string(line) != "AUTH PLAIN" || err != nil {
		t.Fatalf("command: %q, %v", line, err)
	}
	if line, err := l.ReadLine(12288); string(line) != sasl || err != nil {
		t.Fatalf("SASL line: %d octets, %v", len(line), err)
	}
	if len(l.buf) > 12288 {
		t.Errorf("buffer grew to %d octets", len(l.buf))
	}
	if _, err := l.ReadLine(12288); err != ErrLineTooLong {
		t.Fatalf("12289 octets: %v", err)
	}
	if line, err := l.ReadLine(255); string(line) != "NOOP" || err != nil {
		t.Fatalf("afterwards: %q, %v", line, err)
	}
	if len(l.buf) != MinBuffer {
		t.Errorf("buffer stays at %d octets", len(l.buf))
	}
}

// endless gives the same octet for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestEndlessLine(t *testing.T) {
	t.Parallel()
	l := NewLineReader(endless('x'), 0)
	if _, err := l.ReadLine(255); err != ErrEndlessLine {
		t.Fatalf("got %v", err)
	}
	if len(l.buf) != MinBuffer {
		t.Errorf("buffer grew to %d octets", len(l.buf))
	}
}

func TestNoProgress(t *testing.T) {
	t.Parallel()
	l := NewLineReader(iotest.ErrReader(nil), 0)
	if _, err := l.ReadLine(255); err != io.ErrNoProgress {
		t.Fatalf("got %v", err)
	}
}

func TestHasLineAndReset(t *testing.T) {
	t.Parallel()
	l := NewLineReader(strings.NewReader("STLS\r\nNOOP\r\nCA"), 0)
	if l.HasLine() {
		t.Error("a line is buffered before the first read")
	}
	if _, err := l.ReadLine(255); err != nil {
		t.Fatal(err)
	}
	if !l.HasLine() || l.Buffered() != len("NOOP\r\nCA") {
		t.Errorf("HasLine %v, Buffered %d after the first line", l.HasLine(), l.Buffered())
	}
	if n := l.Reset(strings.NewReader("QUIT\r\n")); n != len("NOOP\r\nCA") {
		t.Errorf("Reset threw away %d octets", n)
	}
	if line, err := l.ReadLine(255); string(line) != "QUIT" || err != nil {
		t.Errorf("after Reset: %q, %v", line, err)
	}
	if l.HasLine() {
		t.Error("a line is buffered at the end")
	}
}

func TestReadLineDoesNotAllocate(t *testing.T) {
	r := strings.NewReader("")
	l := NewLineReader(r, 0)
	in := "RETR 1\r\nDELE 1\r\n"
	n := testing.AllocsPerRun(100, func() {
		r.Reset(in)
		for range 2 {
			if _, err := l.ReadLine(255); err != nil {
				t.Fatal(err)
			}
			l.HasLine()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for two lines", n)
	}
}

// A LineReader that rests reads on as if it had not.
func TestRest(t *testing.T) {
	t.Parallel()
	from, to := io.Pipe()
	go func() {
		for _, s := range []string{"first\r\n", "sec", "ond\r\nthird\r\n"} {
			_, _ = io.WriteString(to, s)
		}
		_ = to.Close()
	}()
	l := NewLineReader(from, MinBuffer)
	for _, want := range []string{"first", "second", "third"} {
		if l.Buffered() == 0 {
			l.Rest()
			if l.HasLine() || l.Buffered() != 0 {
				t.Error("something is buffered in a reader that rests")
			}
		}
		if line, err := l.ReadLine(100); err != nil || string(line) != want {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
	l.Rest()
	if n := l.Reset(strings.NewReader("fourth\r\n")); n != 0 {
		t.Errorf("%d octets thrown away", n)
	}
	if line, err := l.ReadLine(100); err != nil || string(line) != "fourth" {
		t.Errorf("%q, %v", line, err)
	}
}
