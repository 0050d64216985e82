package body

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	id, err := newID(at, bytes.NewReader([]byte("0123456789")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.String(), "01a20320a20030313233343536373839"; got != want {
		t.Errorf("String is %s, want %s", got, want)
	}
	if got, want := id.path(), "01a20/32/01a20320a20030313233343536373839"; got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
	if got := id.Time(); !got.Equal(at) {
		t.Errorf("Time is %v, want %v", got, at)
	}
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Errorf("ParseID: %v, %v", got, err)
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

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "0", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32), strings.Repeat("A", 32),
		"../../../../../../../../../../tmp"[:32], strings.Repeat("0", 30) + "/x",
	} {
		if id, err := ParseID(s); err == nil {
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
