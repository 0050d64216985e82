package body

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	id, err := newID(at, bytes.NewReader([]byte("0123456")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.String(), "01a20320a20030313233343536000000"; got != want {
		t.Errorf("String is %s, want %s", got, want)
	}
	if got, want := id.path(), "01a20/32/01a20320a20030313233343536"; got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
	if got := id.Time(); !got.Equal(at) {
		t.Errorf("Time is %v, want %v", got, at)
	}
	if got, ok := parseFile(id.path()[folderLen+1:]); !ok || got != id {
		t.Errorf("parseFile: %v, %v", got, ok)
	}
}

func TestIDInABundle(t *testing.T) {
	t.Parallel()
	file, err := newID(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first, last := file.Range()
	for _, at := range []int{0, 1, 255, 256, 65536, maxBundled * MaxLoad} {
		id := file.bundled(at)
		if !id.Bundled() || id.at() != int64(at) || id.withPlace(0) != file || id.path() != file.path() || !id.Time().Equal(file.Time()) {
			t.Errorf("at %d: %v is bundled %v at %d of %v", at, id, id.Bundled(), id.at(), id.withPlace(0))
		}
		if bytes.Compare(first[:], id[:]) > 0 || bytes.Compare(id[:], last[:]) > 0 {
			t.Errorf("at %d: %v is not from %v to %v", at, id, first, last)
		}
	}
	if file.Bundled() || file.at() != 0 {
		t.Errorf("%v is bundled %v at %d", file, file.Bundled(), file.at())
	}
}

// Inside is where another body's beginning shows that the size of this one is wrong.
func TestInside(t *testing.T) {
	t.Parallel()
	file, err := newID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at          int
		octets      int64
		first, last int // the octets where bodies would begin
	}{
		{0, 1, 1, 0},
		{0, 2, 1, 1},
		{100, 50, 101, 149},
		{100, 0, 101, 100},
		{100, -5, 101, 100},
		{100, math.MaxInt64, 101, maxPlace - 1},
		{maxPlace - 3, 10, maxPlace - 2, maxPlace - 1},
	} {
		first, last := file.bundled(tt.at).Inside(tt.octets)
		if first != file.bundled(tt.first) || last != file.bundled(tt.last) {
			t.Errorf("inside %d octets at %d: %v to %v, want %d to %d", tt.octets, tt.at, first, last, tt.first, tt.last)
		}
	}
}

// What is in a folder is from before its end, and what is beside it is not.
func TestFolderEnd(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	id, err := newID(at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	folder := id.folder()
	for _, digits := range []string{folder[:outerDigits], strings.ReplaceAll(folder, "/", "")} {
		end := folderEnd(digits)
		if !at.Before(end) {
			t.Errorf("%s ends at %v, and has %v", digits, end, at)
		}
		for ms, same := range map[int64]bool{-1: true, 0: false} {
			other, err := newID(end.Add(time.Duration(ms)*time.Millisecond), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.HasPrefix(strings.ReplaceAll(other.folder(), "/", ""), digits); got != same {
				t.Errorf("%s ends at %v, and has what came %d ms later: %v", digits, end, ms, got)
			}
		}
	}
}

func TestIDsOfAPeriodShareAFolder(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for at := start; at.Before(start.Add(folderSpan)); at = at.Add(time.Minute) {
		id, err := newID(at, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		folders[id.folder()] = true
	}
	if len(folders) > 2 {
		t.Errorf("%d folders in %v, want at most 2", len(folders), folderSpan)
	}
}

func TestParseFileRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "0", strings.Repeat("0", 25), strings.Repeat("0", 27), strings.Repeat("0", 32), strings.Repeat("g", 26),
		strings.Repeat("A", 26), "../../../../../../../../../../tmp"[:26], strings.Repeat("0", 24) + "/x",
	} {
		if id, ok := parseFile(s); ok {
			t.Errorf("%q passes as %v", s, id)
		}
	}
}

func TestNoRandomNumbers(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	if _, err := newID(time.Now(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
