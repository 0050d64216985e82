package collect_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
)

// A reader of minds scans by the word in a message's body.
type mindReader struct {
	seen []string // whole messages
	down error
}

func (m *mindReader) Scan(_ context.Context, l collect.Letter, message *io.SectionReader) (collect.Finding, error) {
	text, err := io.ReadAll(message)
	if err != nil {
		return collect.Finding{}, err
	}
	m.seen = append(m.seen, string(text))
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	switch {
	case m.down != nil:
		return collect.Finding{}, m.down
	case strings.Contains(body, "quarantine"):
		return collect.Finding{Verdict: collect.Quarantine, Fields: "X-Bad: yes\r\n", Why: "bad"}, nil
	case strings.Contains(body, "leave"):
		return collect.Finding{Verdict: collect.Leave, Why: "dubious"}, nil
	case strings.Contains(body, "drop"):
		return collect.Finding{Verdict: collect.Discard, Why: "vile"}, nil
	}
	return collect.Finding{Fields: "X-Bad: no\r\n"}, nil
}

func scanned(words ...string) []letter {
	all := messages(len(words))
	for i, w := range words {
		all[i].body += w + "\r\n"
	}
	return all
}

// A scanner sees each whole message once, before any sink; what it says is done, and what was left stays settled.
func TestScan(t *testing.T) {
	t.Parallel()
	all := scanned("good", "quarantine", "leave", "drop", "good as well")
	b := newBench(t, all)
	scanner, cell := &mindReader{}, &shelf{name: "cell"}
	b.account.Rules = collect.Rules{Delete: true, Scan: scanner, Quarantine: []collect.Sink{cell}}
	b.opt.SpoolFolder = t.TempDir()
	rep := b.run()
	if rep.Fetched != 3 || rep.Quarantined != 1 || rep.Skipped != 1 || rep.Deleted != 4 || rep.Discarded != 1 || rep.Failed != 0 {
		t.Errorf("%+v", rep)
	}
	want := []string{
		"message uid1 is in quarantine: bad", "message uid2 stays at the server: dubious", "message uid3 is deleted: vile",
	}
	if d := cmp.Diff(want, rep.Warnings); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
	tagged := func(i int, field string) letter { return letter{body: field + all[i].body} }
	b.wantBodies([]letter{tagged(0, "X-Bad: no\r\n"), tagged(4, "X-Bad: no\r\n")})
	wantBodies(t, cell, []letter{tagged(1, "X-Bad: yes\r\n")})
	b.wantUIDs("uid2")
	if again := b.run(); again.Fetched != 0 || len(scanner.seen) != 5 {
		t.Errorf("second run: %+v, %d messages were looked at in all", again, len(scanner.seen))
	}
	for i, text := range scanner.seen {
		if text != all[i].body {
			t.Errorf("message %d was looked at as %q", i, text)
		}
	}
	if left, err := os.ReadDir(b.opt.SpoolFolder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// While the scanner is away nothing is delivered, nothing is lost, and no message is set aside for it.
func TestScannerIsAway(t *testing.T) {
	t.Parallel()
	all := scanned("good", "good", "good", "good", "good")
	b := newBench(t, all)
	scanner := &mindReader{down: &collect.TemporaryError{Err: errors.New("away")}}
	b.account.Rules = collect.Rules{Delete: true, Scan: scanner}
	for range 10 {
		if rep, err := b.tryRun(); collect.Classify(err) != collect.Temporary || rep.Fetched != 0 || len(rep.SetAside) > 0 {
			t.Fatalf("%+v %v", rep, err)
		}
	}
	if len(scanner.seen) != 30 {
		t.Errorf("%d messages were downloaded in ten runs, want three in each", len(scanner.seen))
	}
	scanner.down = nil
	if rep := b.run(); rep.Fetched != 5 || rep.Deleted != 5 {
		t.Errorf("when it is back: %+v", rep)
	}
}

// A message that the scanner can never look at is set aside like others that fail.
func TestScanRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned("good"))
	b.account.Rules = collect.Rules{Scan: &mindReader{down: errors.New("too large")}, MaxAttempts: 2}
	b.run()
	if rep := b.run(); len(rep.SetAside) != 1 || rep.SetAside[0].Error != "too large" {
		t.Errorf("%+v", rep)
	}
}

// A disk that is full is no fault of the message.
func TestScanWithoutSpool(t *testing.T) {
	t.Parallel()
	b := newBench(t, scanned("good"))
	b.account.Rules = collect.Rules{Delete: true, Scan: &mindReader{}, MaxAttempts: 1}
	b.opt.SpoolFolder = "/nonexistent"
	for range 3 {
		if rep := b.run(); rep.Failed != 1 || len(rep.SetAside) > 0 {
			t.Errorf("%+v", rep)
		}
	}
	b.opt.SpoolFolder = t.TempDir()
	if rep := b.run(); rep.Fetched != 1 {
		t.Errorf("with a disk again: %+v", rep)
	}
}

// The quarantine is none of the destinations.
func TestQuarantineNames(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.account.Rules.Quarantine = []collect.Sink{b.sink}
	if _, err := b.tryRun(); collect.Classify(err) != collect.Permanent {
		t.Errorf("got %v", err)
	}
}
