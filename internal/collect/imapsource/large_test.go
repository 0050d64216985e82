package imapsource_test

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
)

// A message of 64 MiB is not held in memory.
func TestLarge(t *testing.T) { // it measures memory
	const size = 64 << 20
	block := []byte(strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n", 1<<10)) // 64 KiB
	server := &scripted{serve: func(line string, _ *bufio.Reader, w io.Writer) bool {
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.HasPrefix(command, "FETCH "):
			_, _ = fmt.Fprintf(w, "* 1 FETCH (UID 7 RFC822.SIZE %d FLAGS ())\r\n%s OK done\r\n", size, tag)
		case strings.HasPrefix(command, "UID FETCH "):
			_, _ = fmt.Fprintf(w, "* 1 FETCH (UID 7 BODY[] {%d}\r\n", size)
			for range size / len(block) {
				if _, err := w.Write(block); err != nil {
					return true
				}
			}
			_, _ = fmt.Fprintf(w, ")\r\n%s OK done\r\n", tag)
		default:
			return false
		}
		return true
	}}
	session, err := server.source(t, nil).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	list, err := session.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Size != size {
		t.Fatalf("%+v, %v", list, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	session.Prepare(t.Context(), collect.OpRetrieve, list)
	body, err := session.Retrieve(t.Context(), list[0])
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, body)
	if err != nil || n != size {
		t.Errorf("%d octets, %v", n, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 { // of all that was ever allocated
		t.Errorf("%d octets of memory", grown)
	}
}
