package lmtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestCopyData(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, wire, want string }{
		{"empty", ".\r\n", ""},
		{"plain", "a\r\n.\r\n", "a\r\n"},
		{"empty lines", "\r\n\r\n.\r\n", "\r\n\r\n"},
		{"stuffed dots", "..\r\n...x\r\n..\r\n.\r\n", ".\r\n..x\r\n.\r\n"},
		{"dot not stuffed", ".x\r\n.\r\n", "x\r\n"},
		{"dot and CR, not stuffed", ".\rx\r\n.\r\n", "\rx\r\n"},
		{"CR CR LF before the end", "a\r\r\n.\r\n", "a\r\r\n"},
		{"CR CR LF before a stuffed dot", "a\r\r\n..b\r\n.\r\n", "a\r\r\n.b\r\n"},
		{"bare LF around a dot is content", "a\n.\nb\n.\r\nc\r\n.\r\n", "a\n.\nb\n.\r\nc\r\n"},
		{"CRLF dot LF is content", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"},
		{"bare CR around a dot is content", "a\r.\rb\r.\r\nc\r\n.\r\n", "a\r.\rb\r.\r\nc\r\n"},
		{"NUL and 8 bit", "\x00\xff\r\n.\r\n", "\x00\xff\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{16, 17, 18, 64} { // bufio's smallest is 16
				for _, rest := range []string{"", "QUIT\r\n"} {
					for name, r := range map[string]io.Reader{
						"whole":     strings.NewReader(tt.wire + rest),
						"octetwise": iotest.OneByteReader(strings.NewReader(tt.wire + rest)),
					} {
						var got bytes.Buffer
						br := bufio.NewReaderSize(r, size)
						n, err := copyData(&got, br)
						if err != nil || got.String() != tt.want || n != int64(len(tt.want)) {
							t.Errorf("%s, buffer %d: got %q, %d, %v; want %q", name, size, got.String(), n, err, tt.want)
						}
						if left, _ := io.ReadAll(br); string(left) != rest {
							t.Errorf("%s, buffer %d: left %q, want %q", name, size, left, rest)
						}
					}
				}
			}
		})
	}
}

func TestCopyDataCutShort(t *testing.T) {
	t.Parallel()
	const wire = "a\r\n..b\r\r\nc\r\n.\r\n"
	for i := range len(wire) {
		_, err := copyData(io.Discard, bufio.NewReader(strings.NewReader(wire[:i])))
		if _, lost := errors.AsType[*readError](err); !lost || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %q: %v, want a readError of an unexpected EOF", wire[:i], err)
		}
	}
}

func TestCopyDataReadsOnWhenTheWriterFails(t *testing.T) {
	t.Parallel()
	failed := errors.New("disk full")
	br := bufio.NewReader(strings.NewReader("a\r\nb\r\n.\r\nNOOP\r\n"))
	if _, err := copyData(failingWriter{failed}, br); err != failed {
		t.Errorf("got %v, want %v", err, failed)
	}
	if rest, _ := io.ReadAll(br); string(rest) != "NOOP\r\n" {
		t.Errorf("left %q, want the next command", rest)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// Stuffing as a client does it, then copyData, is the identity for every message that ends a line.
func TestCopyDataUndoesStuffing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		octet := rapid.SampledFrom([]byte("\r\r\n\n..ab\x00\xff"))
		body := append(rapid.SliceOfN(octet, 0, 80).Draw(t, "body"), "\r\n"...)
		wire := append(stuff(body), ".\r\n"...)
		size := rapid.IntRange(16, 40).Draw(t, "buffer")
		var got bytes.Buffer
		if _, err := copyData(&got, bufio.NewReaderSize(bytes.NewReader(wire), size)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), body) {
			t.Fatalf("got %q, want %q", got.Bytes(), body)
		}
	})
}

// stuff doubles each dot at the start of the message and after CRLF.
func stuff(body []byte) []byte {
	if bytes.HasPrefix(body, []byte(".")) {
		body = append([]byte("."), body...)
	}
	return bytes.ReplaceAll(body, []byte("\r\n."), []byte("\r\n.."))
}

// naiveData is copyData written with the octets in hand.
func naiveData(wire []byte) (body []byte, ended bool) {
	for start := true; ; {
		if start && bytes.HasPrefix(wire, endOfData) {
			return body, true
		}
		if start && len(wire) > 0 && wire[0] == '.' {
			wire = wire[1:]
		}
		i := bytes.Index(wire, []byte("\r\n"))
		if i < 0 {
			return nil, false
		}
		body, wire, start = append(body, wire[:i+2]...), wire[i+2:], true
	}
}

func FuzzCopyData(f *testing.F) {
	for _, s := range []string{".\r\n", "a\r\n.\r\n", "..\r\n.\r\n", "a\r\r\n..\r\n.\r\n", "\n.\n\r.\r\r\n.\r\n", ".\r.\r\n.\r\n"} {
		f.Add([]byte(s), 16)
	}
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		want, ended := naiveData(wire)
		var got bytes.Buffer
		n, err := copyData(&got, bufio.NewReaderSize(bytes.NewReader(wire), size&0xFF))
		if ended != (err == nil) {
			t.Fatalf("%q: err %v, naive end %v", wire, err, ended)
		}
		if ended && (!bytes.Equal(got.Bytes(), want) || n != int64(len(want))) {
			t.Fatalf("%q: got %q, want %q", wire, got.Bytes(), want)
		}
	})
}
