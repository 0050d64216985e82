package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/office"
	"github.com/postamt/postamt/internal/terminal"
	"github.com/postamt/postamt/pop3/pop3client"
)

// A fetchShow shows how fetching goes on: a bar for each account on a terminal, plain lines elsewhere, or events as JSON.
type fetchShow struct {
	app *app
	fetchFlags
	bars *terminal.Bars

	mu       sync.Mutex
	bar      map[string]*terminal.Bar
	progress map[string]time.Time // when an event "progress" was last printed
	later    map[string]string    // by account: what is printed when the bars have gone
}

func newFetchShow(a *app, f fetchFlags) *fetchShow {
	if f.asJSON || f.quiet {
		a.notes.Quiet()
	}
	return &fetchShow{
		app: a, fetchFlags: f, bars: a.notes.Bars(),
		bar: make(map[string]*terminal.Bar), progress: make(map[string]time.Time), later: make(map[string]string),
	}
}

// ask takes the bars away while it asks.
func (s *fetchShow) ask(ctx context.Context, question string) (string, error) {
	s.bars.Hide()
	defer s.bars.Unhide()
	return s.app.askPassword(ctx, question)
}

// event hears what happens in a run.
func (s *fetchShow) event(e collect.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asJSON {
		s.printEvent(e)
		return
	}
	switch bar := s.bar[e.Account]; e.Kind {
	case collect.EventOpened:
		if e.TotalMessages > 0 {
			s.bar[e.Account] = s.bars.Bar(e.Account, e.TotalOctets, terminal.Octets)
		}
	case collect.EventProgress, collect.EventFetched:
		if bar != nil {
			bar.Set(e.Octets)
		}
	case collect.EventFailed:
		if _, ended := errors.AsType[*collect.PermanentError](e.Err); ended {
			return // the run ends with it, and done says what to do
		}
		s.complain(e.Account, fmt.Sprintf("a message of %s could not be fetched, it stays there: %v", terminal.FormatOctets(e.Size), e.Err))
	case collect.EventWarning:
		s.complain(e.Account, "warning: "+e.Err.Error())
	}
}

// complain writes a line about an account to standard error.
func (s *fetchShow) complain(account, text string) {
	line := "postamt: " + account + ": " + plainLine(text)
	if s.asJSON || s.quiet || !s.app.notes.Interactive() {
		_, _ = fmt.Fprintln(s.app.errs, line)
		return
	}
	s.bars.Say(line)
}

// done hears the result of a run.
func (s *fetchShow) done(r office.FetchResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := ""
	if bar := s.bar[r.Account]; bar != nil {
		took = bar.Summary()
		bar.Done("")
	}
	if s.asJSON {
		s.printFinished(r)
		return
	}
	if r.Err != nil && collect.Classify(r.Err) != collect.Cancelled {
		s.complain(r.Account, explainFetch(r.Err))
	}
	for _, p := range r.SetAside {
		s.complain(r.Account, fmt.Sprintf("a message of %s (unique-id %s) was set aside after %s, next try %s: %s",
			terminal.FormatOctets(p.Size), terminal.Printable(p.UID), count(p.Attempts, "attempt"), p.Next.Local().Format("2006-01-02 15:04"), p.Error))
	}
	if s.quiet {
		return
	}
	line := r.Account + ": " + fetchSummary(r, took)
	if s.app.notes.Interactive() {
		s.later[r.Account] = line
		return
	}
	_ = s.app.print("%s\n", line)
}

// close takes the bars away and prints what was kept until then, in the order of the configuration.
func (s *fetchShow) close(results []office.FetchResult) {
	s.bars.Close()
	for _, r := range results {
		if line := s.later[r.Account]; line != "" {
			_ = s.app.print("%s\n", line)
		}
	}
}

// fetchSummary returns the result of a run in a line: "12 messages fetched, 3.4 MiB in 2s, 1.7 MiB/s; 12 deleted there".
func fetchSummary(r office.FetchResult, took string) string {
	var parts []string
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(text, n))
		}
	}
	first := "nothing new"
	switch {
	case r.Fetched > 0 && took != "":
		first = count(r.Fetched, "message") + " fetched, " + took
	case r.Fetched > 0:
		first = count(r.Fetched, "message") + " fetched, " + terminal.FormatOctets(r.Octets)
	case r.Err != nil || r.Failed > 0:
		first = "nothing fetched"
	}
	add(r.Deleted, "%d deleted there")
	add(r.DeletesPending, "%d to be deleted there at the next run")
	add(r.Duplicates, "%d had come by another account")
	add(r.Renumbered, "%d known under another unique-id")
	add(r.Quarantined, "%d of them in quarantine")
	add(r.Skipped, "%d left there by rule")
	add(r.Capped, "%d left for the next run")
	add(r.Failed, "%d failed")
	add(len(r.SetAside), "%d set aside")
	return strings.Join(append([]string{first}, parts...), "; ")
}

// explainFetch says what to do next, where the error does not.
func explainFetch(err error) string {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	pin, wrongKey := errors.AsType[*pop3client.PinError](err)
	if sink, ok := errors.AsType[*collect.SinkError](err); ok && (unknown || name || wrongKey) {
		return explainSink(sink, pin, name)
	}
	switch {
	case errors.Is(err, collect.ErrLocked):
		return "is being fetched already, by the daemon or another postamt fetch"
	case unknown:
		return `nobody we trust vouches for the server's certificate: if it is its own authority, name that with ca, or set trust = "first-use"`
	case name:
		return plainly(err.Error()) + "; url must have the name that the certificate is for"
	case wrongKey:
		return fmt.Sprintf(`%s; if the new key is right, put "%s" into pins, or with trust = "first-use" remove the remembered one from the folder fetch`, plainly(err.Error()), pin.Got)
	}
	return plainly(err.Error())
}

// explainSink says what to do about a destination whose server is not trusted: it has the wrong key (pin) or the wrong
// name, or nobody vouches for it.
func explainSink(err *collect.SinkError, pin *pop3client.PinError, name bool) string {
	kind, _, _ := strings.Cut(err.Sink, ":")
	switch {
	case name:
		return plainly(err.Error()) + "; to must have the name that the certificate is for"
	case pin != nil:
		return fmt.Sprintf(`%s; if the new key is right, put "%s" into %s_pins`, plainly(err.Error()), pin.Got, kind)
	}
	return fmt.Sprintf("%s; if the server is its own authority, name that with %s_ca, or its key with %[2]s_pins", plainly(err.Error()), kind)
}

func plainLine(s string) string { return terminal.Printable(strings.ReplaceAll(s, "\n", "; ")) }

// A fetchEvent is an event as JSON.
type fetchEvent struct {
	Event         string      `json:"event"`
	Account       string      `json:"account"`
	Time          time.Time   `json:"time"`
	UID           string      `json:"uid,omitempty"`
	Size          int64       `json:"size,omitempty"`
	Messages      int         `json:"messages"`
	TotalMessages int         `json:"total_messages"`
	Octets        int64       `json:"octets"`
	TotalOctets   int64       `json:"total_octets"`
	Error         string      `json:"error,omitempty"`
	Result        *fetchFinal `json:"result,omitempty"`
}

// A fetchFinal is how a run ended, as JSON.
type fetchFinal struct {
	Class          string        `json:"class"` // "ok", "temporary", "busy", "refused", "permanent" or "cancelled"
	Listed         int           `json:"listed"`
	New            int           `json:"new"`
	Fetched        int           `json:"fetched"`
	Octets         int64         `json:"octets"`
	Duplicates     int           `json:"duplicates"`
	Renumbered     int           `json:"renumbered"`
	Deleted        int           `json:"deleted"`
	DeletesPending int           `json:"deletes_pending"`
	Discarded      int           `json:"discarded"`
	Quarantined    int           `json:"quarantined"`
	Skipped        int           `json:"skipped"`
	Failed         int           `json:"failed"`
	Capped         int           `json:"capped"`
	SetAside       []fetchPoison `json:"set_aside,omitempty"`
}

type fetchPoison struct {
	UID      string    `json:"uid"`
	Size     int64     `json:"size"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
	Next     time.Time `json:"next"`
}

// progressEvery is how often an event "progress" of an account is printed at most.
const progressEvery = time.Second

func (s *fetchShow) printEvent(e collect.Event) {
	now := time.Now()
	switch {
	case e.Kind == collect.EventFinished:
		return // done knows more
	case e.Kind == collect.EventProgress && now.Sub(s.progress[e.Account]) < progressEvery:
		return
	case e.Kind == collect.EventProgress:
		s.progress[e.Account] = now
	}
	s.printLine(fetchEvent{
		Event: e.Kind.String(), Account: e.Account, Time: now, UID: e.UID, Size: e.Size,
		Messages: e.Messages, TotalMessages: e.TotalMessages, Octets: e.Octets, TotalOctets: e.TotalOctets, Error: errorText(e.Err),
	})
}

func (s *fetchShow) printFinished(r office.FetchResult) {
	final := &fetchFinal{
		Class: r.Class().String(), Listed: r.Listed, New: r.New, Fetched: r.Fetched, Octets: r.Octets, Duplicates: r.Duplicates,
		Renumbered: r.Renumbered, Deleted: r.Deleted, DeletesPending: r.DeletesPending, Discarded: r.Discarded,
		Quarantined: r.Quarantined, Skipped: r.Skipped, Failed: r.Failed, Capped: r.Capped,
	}
	for _, p := range r.SetAside {
		final.SetAside = append(final.SetAside, fetchPoison(p))
	}
	s.printLine(fetchEvent{
		Event: collect.EventFinished.String(), Account: r.Account, Time: r.Ended, Messages: r.Fetched, Octets: r.BytesFromSource,
		TotalMessages: r.Fetched, TotalOctets: r.BytesFromSource, Error: errorText(r.Err), Result: final,
	})
}

func (s *fetchShow) printLine(v any) {
	enc := json.NewEncoder(s.app.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a reader that has gone does not stop the mail
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return explainFetch(err)
}
