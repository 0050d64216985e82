package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestStatusLines(t *testing.T) {
	t.Parallel()
	tests := []struct{ got, want string }{
		{string(AppendOK(nil, "ready")), "+OK ready\r\n"},
		{string(AppendErr(nil, "", "no")), "-ERR no\r\n"},
		{string(AppendErr(nil, "IN-USE", "busy")), "-ERR [IN-USE] busy\r\n"},
		{string(AppendOK(nil, "[x] is here")), "+OK (x] is here\r\n"}, // S-007
		{string(AppendErr(nil, "", "a\r\n+OK b\x1b[2J\x00\xc3\xa9\x7f")), "-ERR a??+OK b?[2J????\r\n"},
		{string(AppendErr(nil, "A\r\nB", "t")), "-ERR [A??B] t\r\n"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	long := strings.Repeat("x", 600) // S-004, S-038
	for _, line := range [][]byte{AppendOK(nil, long), AppendErr(nil, "", long), AppendErr(nil, "SYS/TEMP", long), AppendErr(nil, long, long)} {
		if len(line) != MaxStatus || !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Errorf("%d octets: %q", len(line), line)
		}
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	var out countingWriter
	w := NewWriter(&out)
	for range 100 {
		w.OK("fine")
	}
	w.Fail("AUTH", "no")
	w.End()
	if out.calls != 0 {
		t.Errorf("%d writes before Flush", out.calls)
	}
	if err := w.Flush(); err != nil || out.calls != 1 {
		t.Errorf("Flush: %v, %d writes", err, out.calls)
	}
	if w.buf != nil {
		t.Error("an idle Writer holds a buffer")
	}
}

func TestWriterBigWrites(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	w := NewWriter(&got)
	want := strings.Repeat("0123456789", 40_000)
	w.OK("first")
	io.WriteString(w, want)
	for range 3000 {
		w.Commit(append(w.Reserve(100), want[:100]...))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want = "+OK first\r\n" + want + strings.Repeat(want[:100], 3000)
	if got.String() != want {
		t.Errorf("%d octets came, want %d", got.Len(), len(want))
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriterErrorSticks(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	w := NewWriter(failing{gone})
	w.OK("x")
	if err := w.Flush(); err != gone {
		t.Fatalf("Flush: %v", err)
	}
	if _, err := w.Write(make([]byte, 3*BufferSize)); err != gone {
		t.Errorf("Write: %v", err)
	}
	for range 10_000 {
		w.OK("more") // must not grow or panic
	}
	if err := w.Flush(); err != gone || w.Err() != gone {
		t.Errorf("Flush again: %v", err)
	}
}

func TestWriterDoesNotAllocate(t *testing.T) {
	var out countingWriter
	w := NewWriter(&out)
	n := testing.AllocsPerRun(100, func() {
		w.OK("fine")
		w.Fail("IN-USE", "no")
		w.Flush()
	})
	if n != 0 {
		t.Errorf("%v allocations for two replies", n)
	}
}
