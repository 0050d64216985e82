package imapsource_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/imapclient"
)

// listingOf answers FETCH by sequence number, each message several times if times is more than 1.
func listingOf(messages, times int) func(string, *bufio.Reader, io.Writer) bool {
	return func(line string, _ *bufio.Reader, w io.Writer) bool {
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		var first, last int
		switch {
		case strings.HasPrefix(command, "EXAMINE "):
			_, _ = fmt.Fprintf(w, "* %d EXISTS\r\n* OK [UIDVALIDITY 4000000000] x\r\n%s OK done\r\n", messages, tag)
			return true
		case !strings.HasPrefix(command, "FETCH "):
			return false
		}
		if n, err := fmt.Sscanf(command, "FETCH %d:%d", &first, &last); n != 2 {
			_, _ = fmt.Fprintf(w, "%s BAD %v\r\n", tag, err)
			return true
		}
		b := bufio.NewWriter(w)
		for i := first; i <= last; i++ {
			for range times {
				fmt.Fprintf(b, "* %d FETCH (UID %d RFC822.SIZE 1234 INTERNALDATE \"22-Nov-2026 08:00:00 +0000\" FLAGS (\\Seen $Junk))\r\n", i, 1_000_000_000+i)
			}
		}
		fmt.Fprintf(b, "%s OK done\r\n", tag)
		_ = b.Flush()
		return true
	}
}

// The listing of a large folder keeps at most 300 octets of memory for each message: 300 MB for a million. What a server
// says again and again counts once.
func TestListingMemory(t *testing.T) { // it measures memory
	const messages = 10_000
	for _, times := range []int{1, 3} {
		server := &scripted{serve: listingOf(messages, times)}
		session, err := server.source(t, nil).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		list, err := session.List(t.Context())
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil || len(list) != messages || list[messages-1].UID != fmt.Sprintf("4000000000.%d", 1_000_000_000+messages) {
			t.Fatalf("%d messages, %v", len(list), err)
		}
		if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / messages; each > 300 {
			t.Errorf("%d octets for each message", each)
		}
		runtime.KeepAlive(list)
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A folder that cannot be is refused before anything is listed.
func TestTooManyMessages(t *testing.T) {
	t.Parallel()
	server := &scripted{serve: listingOf(5_000_001, 1)}
	session, err := server.source(t, nil).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	if list, err := session.List(t.Context()); !errors.Is(err, imapclient.ErrTooLarge) {
		t.Errorf("%d messages, %v", len(list), err)
	}
}
