package wire

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// naiveText is DotWriter's Text form written down octet by octet: the message as it must show, and on the wire.
func naiveText(in []byte) (shown, wired []byte) {
	bol := true
	put := func(c byte, s string) {
		if bol && c == '.' {
			wired = append(wired, '.')
		}
		shown = append(shown, s...)
		wired = append(wired, s...)
		bol = c == '\n'
	}
	for i, c := range in {
		if c == '\n' && (i == 0 || in[i-1] != '\r') {
			put(c, "\r\n")
		} else {
			put(c, string([]byte{c}))
		}
	}
	if !bol {
		put('\n', "\r\n")
	}
	return shown, append(wired, ".\r\n"...)
}

// FuzzDot compares DotWriter with naiveText, and checks that DotReader gives back what DotWriter was given, however both
// are cut.
func FuzzDot(f *testing.F) {
	for _, b := range bodies {
		if len(b.stored) < 1000 {
			f.Add([]byte(b.stored), uint(1))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint) {
		k := int(cut % uint(len(in)+1))
		shown, wired := naiveText(in)
		for _, form := range []Form{Text, CRLF} {
			msg := in
			if form == CRLF {
				msg = shown
			}
			var out bytes.Buffer
			d := NewDotWriter(&out, form)
			d.Write(msg[:min(k, len(msg))])
			d.Write(msg[min(k, len(msg)):])
			if err := d.Close(); err != nil {
				t.Fatalf("form %d: Close: %v", form, err)
			}
			if !bytes.Equal(out.Bytes(), wired) {
				t.Fatalf("form %d: wrote %q, want %q", form, out.Bytes(), wired)
			}
			if d.Octets() != int64(len(shown)) {
				t.Fatalf("form %d: %d octets, want %d", form, d.Octets(), len(shown))
			}
		}
		for _, r := range []io.Reader{
			bytes.NewReader(wired),
			iotest.OneByteReader(bytes.NewReader(wired)),
			io.MultiReader(bytes.NewReader(wired[:k]), bytes.NewReader(wired[k:])),
		} {
			dr := NewLineReader(r, 0).DotReader(int64(len(shown)))
			got, err := io.ReadAll(dr)
			if err != nil || !bytes.Equal(got, shown) || !dr.Ended() {
				t.Fatalf("read back %q, %v, want %q", got, err, shown)
			}
		}
	})
}

// FuzzDotReader reads arbitrary octets: cut or not, the result must be the same, and within the limit.
func FuzzDotReader(f *testing.F) {
	for _, b := range bodies {
		if len(b.wire) < 1000 {
			f.Add([]byte(b.wire), true)
		}
	}
	f.Add([]byte("a\n.\nb\r\n.\r\nmore"), false)
	f.Fuzz(func(t *testing.T, in []byte, bare bool) {
		read := func(r io.Reader) ([]byte, int, error) {
			l := NewLineReader(r, 0)
			l.BareLF = bare
			got, err := io.ReadAll(l.DotReader(1000))
			rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(l.buf[l.pos:l.end]), r))
			return got, len(rest), err
		}
		a, restA, errA := read(bytes.NewReader(in))
		b, restB, errB := read(iotest.OneByteReader(bytes.NewReader(in)))
		if errA == ErrTooLong || errB == ErrTooLong {
			if errA != errB || len(a) > 1000 || len(b) > 1000 {
				t.Fatalf("whole: %d, %v; octetwise: %d, %v", len(a), errA, len(b), errB)
			}
			return
		}
		if !bytes.Equal(a, b) || errA != errB || restA != restB {
			t.Fatalf("whole: %q, %v, %d left; octetwise: %q, %v, %d left", a, errA, restA, b, errB, restB)
		}
	})
}

// FuzzReadLine reads arbitrary octets as lines: cut or not, the result must be the same.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("NOOP\r\n\r\nQUIT\r\n"), uint16(255), false)
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaa\r\n\r\rb\nc\r\n"), uint16(10), false)
	f.Fuzz(func(t *testing.T, in []byte, limit uint16, bare bool) {
		read := func(r io.Reader) ([]string, error) {
			l := NewLineReader(r, 0)
			l.BareLF = bare
			return readAll(l, int(limit))
		}
		a, errA := read(bytes.NewReader(in))
		b, errB := read(iotest.OneByteReader(bytes.NewReader(in)))
		if errA != errB || len(a) != len(b) {
			t.Fatalf("whole: %q, %v; octetwise: %q, %v", a, errA, b, errB)
		}
		for i := range a {
			if a[i] != b[i] || len(a[i]) > max(int(limit), len("<too long>")) {
				t.Fatalf("line %d: %q and %q", i, a[i], b[i])
			}
		}
	})
}
