package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
	"github.com/postamt/postamt/pop3/pop3client"
)

// The worst result of all accounts is the exit status.
func TestFetchOutcome(t *testing.T) {
	t.Parallel()
	result := func(err error) office.FetchResult { return office.FetchResult{Err: err} }
	ok, later := result(nil), result(&collect.TemporaryError{Err: errors.New("x")})
	busy, locked := result(&collect.BusyError{Err: errors.New("x")}), result(collect.ErrLocked)
	never := result(&collect.PermanentError{Err: errors.New("x")})
	setAside := office.FetchResult{Report: collect.Report{SetAside: []collect.Poison{{}}}}
	failed := office.FetchResult{Report: collect.Report{Failed: 1}}
	for _, tt := range []struct {
		name    string
		results []office.FetchResult
		want    int
	}{
		{"nothing", nil, 0},
		{"all well", []office.FetchResult{ok, ok}, 0},
		{"one later", []office.FetchResult{ok, later, ok}, 75},
		{"in use", []office.FetchResult{busy}, 75},
		{"by another process", []office.FetchResult{locked}, 75},
		{"one message failed", []office.FetchResult{failed}, 75},
		{"one message set aside", []office.FetchResult{setAside}, 1},
		{"a person is needed", []office.FetchResult{later, never, busy}, 1},
	} {
		a := &app{errs: new(bytes.Buffer)}
		if got := a.exit(fetchOutcome(t.Context(), tt.results)); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	a := &app{errs: new(bytes.Buffer)}
	if got := a.exit(fetchOutcome(stopped, []office.FetchResult{ok})); got != 1 || a.errs.(*bytes.Buffer).String() != "postamt: interrupted\n" {
		t.Errorf("interrupted: status %d, %q", got, a.errs)
	}
}

func newTestShow(f fetchFlags) (show *fetchShow, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	a := &app{out: out, errs: errs, term: terminal.New(out, os.Getenv), notes: terminal.New(errs, os.Getenv)}
	return newFetchShow(a, f), out, errs
}

// play is a run with everything in it.
func play(show *fetchShow) {
	for _, e := range []collect.Event{
		{Kind: collect.EventOpened, TotalMessages: 3, TotalOctets: 3000},
		{Kind: collect.EventProgress, Octets: 500, TotalMessages: 3, TotalOctets: 3000},
		{Kind: collect.EventProgress, Octets: 600, TotalMessages: 3, TotalOctets: 3000},
		{Kind: collect.EventFetched, UID: "u1", Key: "k1", Size: 1000, Messages: 1, Octets: 1000, TotalMessages: 3, TotalOctets: 3000},
		{Kind: collect.EventFailed, UID: "u2", Size: 1000, Err: errors.New("refused\nby\x1b[2J somebody")},
		{Kind: collect.EventWarning, Err: errors.New("odd")},
		{Kind: collect.EventDeleted, UID: "u1", Size: 1000},
		{Kind: collect.EventFinished},
	} {
		e.Account = "isp"
		show.event(e)
	}
	result := office.FetchResult{Report: collect.Report{
		Account: "isp", Listed: 4, New: 3, Fetched: 1, Octets: 1000, Deleted: 1, Failed: 1, Skipped: 2,
		SetAside: []collect.Poison{{UID: "u9", Size: 5000, Attempts: 5, Error: "bad", Next: time.Unix(2_000_000_000, 0)}},
	}}
	show.done(result)
	show.close([]office.FetchResult{result})
}

func TestFetchShowsLines(t *testing.T) {
	t.Parallel()
	show, out, errs := newTestShow(fetchFlags{})
	play(show)
	if got, want := out.String(), "isp: 1 message fetched, 1000 B in 0ms; 1 deleted there; 2 left there by rule; 1 failed; 1 set aside\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := "postamt: isp: a message of 1000 B could not be fetched, it stays there: refused; by?[2J somebody\n" +
		"postamt: isp: warning: odd\n" +
		"postamt: isp: a message of 4.9 KiB (unique-id u9) was set aside after 5 attempts, next try " +
		time.Unix(2_000_000_000, 0).Format("2006-01-02 15:04") + ": bad\n"
	if diff := cmp.Diff(want, errs.String()); diff != "" {
		t.Errorf("standard error (-want +got)\n%s", diff)
	}
	show, out, quiet := newTestShow(fetchFlags{quiet: true})
	play(show)
	if diff := cmp.Diff(want, quiet.String()); diff != "" || out.Len() > 0 {
		t.Errorf("--quiet: %q (-want +got)\n%s", out, diff)
	}
}

// Each line is a JSON object; progress is not told for every octet.
func TestFetchShowsJSON(t *testing.T) {
	t.Parallel()
	show, out, errs := newTestShow(fetchFlags{asJSON: true})
	play(show)
	var kinds []string
	var last fetchEvent
	for line := range strings.Lines(out.String()) {
		var e fetchEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds, last = append(kinds, e.Event), e
	}
	if diff := cmp.Diff([]string{"opened", "progress", "fetched", "failed", "warning", "deleted", "finished"}, kinds); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if last.Result == nil || last.Result.Class != "permanent" || last.Result.Fetched != 1 || len(last.Result.SetAside) != 1 {
		t.Errorf("the last event: %+v", last)
	}
	if errs.Len() > 0 {
		t.Errorf("standard error: %q", errs)
	}
}

// Errors of which there is more to say than they do.
func TestExplainFetch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("isp: %w", collect.ErrLocked), "is being fetched already, by the daemon or another postamt fetch"},
		{&collect.PermanentError{Err: fmt.Errorf("pop3client: TLS: %w", x509.UnknownAuthorityError{})}, `nobody we trust vouches for the server's certificate: if it is its own authority, name that with ca, or set trust = "first-use"`},
		{fmt.Errorf("pop3client: %w", &pop3client.PinError{Host: "h"}), `is not the one that is known for it`},
		{errors.New("pop3client: TLS: broken"), "broken"},
	} {
		if got := explainFetch(tt.err); !strings.Contains(got, tt.want) || strings.Contains(got, "pop3client") {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
