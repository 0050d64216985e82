package mailfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A LineWriter and a lineFilter do the same, however the message is cut.
func TestLineWriterAgreesWithFilter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"\r\n", "\n", "\r", ">", "From ", "Fro", "F", "m ", "text", "\x00", "\xff", ".", " ",
		}), 0, 40).Draw(t, "pieces")
		form := LineForm{Quote: rapid.Bool().Draw(t, "quote"), LF: rapid.Bool().Draw(t, "lf")}
		text := strings.Join(pieces, "")
		want, err := io.ReadAll(newLineFilter(strings.NewReader(text), lineForm{quote: form.Quote, lf: form.LF}, int64(len(text))))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		w := NewLineWriter(&got, form)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, min(7, len(rest))).Draw(t, "cut")
			if k, err := w.Write([]byte(rest[:n])); k != n || err != nil {
				t.Fatalf("Write = %d, %v", k, err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%q, %+v: got %q, want %q", text, form, got.Bytes(), want)
		}
	})
}

func TestLineWriterKeepsError(t *testing.T) {
	t.Parallel()
	w := NewLineWriter(failing{}, LineForm{Quote: true, LF: true})
	if _, err := w.Write([]byte("a\r\nb\r\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write: %v", err)
	}
	if err := w.Flush(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Flush after the error: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
