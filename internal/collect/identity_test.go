package collect

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	const header = "Return-Path: <bob@example.org>\r\nMessage-ID: <1@d>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nSubject: a\r\n b\r\n\r\n"
	id := identify([]byte(header))
	if id.msgid != "<1@d>" || id.sender != "bob@example.org" || id.date.Unix() != 1795341600 || !id.strong() {
		t.Errorf("%+v", id)
	}
	for _, same := range []string{
		strings.ReplaceAll(header, "\r\n", "\n"),
		strings.Replace(header, "Subject", "Status: RO\r\nX-UIDL: 7\r\n folded\r\nSubject", 1),
		strings.Replace(header, "Subject: a", "Subject: a ", 1),
		header + "body\r\n",
	} {
		if got := identify([]byte(same)); got.digest != id.digest {
			t.Errorf("%q has another digest", same)
		}
	}
	for _, other := range []string{
		strings.Replace(header, "Subject: a", "Subject: b", 1),
		strings.Replace(header, " b\r\n", "", 1),
	} {
		if got := identify([]byte(other)); got.digest == id.digest {
			t.Errorf("%q has the same digest", other)
		}
	}
	if weak := identify([]byte("Subject: backup\r\n\r\n")); weak.strong() {
		t.Error("a Subject alone makes no identity")
	}
}

// Headers end at the first empty line, however the octets come, or at the bound.
func TestReadHeader(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"A: b\r\n\r\nbody":       8,
		"A: b\n\nbody":           6,
		"A: b\n\r\nbody\r\n\r\n": 7,
		"A: b\r\n":               6,
		"\r\nbody":               2,
		"\nbody":                 1,
		"":                       0,
		"A: b\r\r\n\r\n":         9,
		strings.Repeat("x", 2*maxHeader) + "\n\n": maxHeader,
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(text), "octets": iotest.OneByteReader(strings.NewReader(text)),
			"with EOF": iotest.DataErrReader(strings.NewReader(text)),
		} {
			start, n, err := readHeader(r)
			if err != nil || n != want || !strings.HasPrefix(text, string(start)) || len(start) > maxHeader {
				t.Errorf("%.20q by %s: %d of %d, %v, want %d", text, name, n, len(start), err, want)
			}
		}
	}
	if _, _, err := readHeader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("A: b\r\n\r\n")))); err == nil {
		t.Error("an error of the reader is lost")
	}
}

// Whatever the pieces, the sinks get CRLF at each line end and nothing else changes.
func FuzzFanOut(f *testing.F) {
	f.Add([]byte("a\nb\r\n\r\n\n\r"), uint8(1))
	f.Add([]byte("\n"), uint8(3))
	f.Add([]byte("a\r\nb\r\nc\nd\r\r\n"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		var out bytes.Buffer
		fan := &fanOut{targets: []*target{{delivery: into{&out}}}}
		size := max(int(piece), 1)
		for rest := text; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if _, err := fan.Write(rest[:min(size, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		// The plain way: octet by octet.
		var want []byte
		for i, c := range text {
			if c == '\n' && (i == 0 || text[i-1] != '\r') {
				want = append(want, '\r')
			}
			want = append(want, c)
		}
		if !bytes.Equal(out.Bytes(), want) || fan.octets != int64(len(want)) {
			t.Errorf("%q in pieces of %d: %q, want %q", text, size, out.Bytes(), want)
		}
	})
}

// into is a delivery into a buffer.
type into struct{ *bytes.Buffer }

func (into) Commit(context.Context) error { return nil }
func (into) Abort()                       {}
