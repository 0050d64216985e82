package sink_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
	"github.com/postamt/postamt/internal/mailfile"
)

// An office of alice, bob and whoever takes the rest. Each has a Maildir.
type office struct {
	dir  string
	fail map[string]error // at Commit, by name
}

func (o *office) sink(name string) (collect.Sink, error) {
	s, err := sink.NewMaildir(filepath.Join(o.dir, name), sink.MaildirOptions{CRLF: true})
	if err != nil {
		return nil, err
	}
	return failing{s, o.fail[name]}, nil
}

// A failing sink fails at Commit, if err is set.
type failing struct {
	collect.Sink
	err error
}

func (f failing) Begin(ctx context.Context, l collect.Letter) (collect.Delivery, error) {
	d, err := f.Sink.Begin(ctx, l)
	return failingDelivery{d, f.err}, err
}

type failingDelivery struct {
	collect.Delivery
	err error
}

func (f failingDelivery) Commit(ctx context.Context) error {
	if f.err != nil {
		return f.err
	}
	return f.Delivery.Commit(ctx)
}

func (o *office) route(_ context.Context, address string) (collect.Sink, error) {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	switch {
	case domain == "broken.example":
		return nil, errors.New("the directory is away")
	case domain == "example.org" && (local == "alice" || local == "bob"):
		return o.sink(local)
	}
	return nil, fmt.Errorf("%s: %w", address, sink.ErrNoRoute)
}

func (o *office) multidrop(header string, skip int, prefix string) (*sink.Multidrop, error) {
	rest, err := o.sink("rest")
	if err != nil {
		return nil, err
	}
	return sink.NewMultidrop(sink.MultidropOptions{
		Name: "isp", Header: header, Skip: skip, Prefix: prefix, Route: o.route, Rest: rest, Loop: "isp@here.example",
	})
}

// who returns who has how many messages.
func (o *office) who(t *testing.T) map[string]int {
	t.Helper()
	got := map[string]int{}
	for _, name := range []string{"alice", "bob", "rest"} {
		files, err := filepath.Glob(filepath.Join(o.dir, name, "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) > 0 {
			got[name] = len(files)
		}
	}
	return got
}

// letter returns the letter of a message as the collector makes it.
func letter(key, message string, recipients ...string) collect.Letter {
	l := sinktest.Letter(key)
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	l.Header, l.Recipients = []byte(header+"\r\n\r\n"), recipients
	return l
}

func deliver(ctx context.Context, s collect.Sink, l collect.Letter, message string) error {
	d, err := s.Begin(ctx, l)
	if err != nil {
		return err
	}
	defer d.Abort()
	if _, err := d.Write([]byte(message)); err != nil {
		return err
	}
	return d.Commit(ctx)
}

func TestMultidrop(t *testing.T) {
	t.Parallel()
	type all = map[string]int
	for name, test := range map[string]struct {
		header string
		skip   int
		prefix string
		fields string
		known  []string // to the source
		want   all
	}{
		"one":                   {"X-Original-To", 0, "", "X-Original-To: alice@example.org", nil, all{"alice": 1}},
		"in other letters":      {"x-original-to", 0, "", "X-ORIGINAL-TO: <ALICE@example.org>", nil, all{"alice": 1}},
		"two":                   {"Envelope-To", 0, "", "Envelope-To: alice@example.org,\r\n\t<bob@example.org>", nil, all{"alice": 1, "bob": 1}},
		"one of two is unknown": {"Envelope-To", 0, "", "Envelope-To: alice@example.org, eve@example.org", nil, all{"alice": 1, "rest": 1}},
		"one twice":             {"Envelope-To", 0, "", "Envelope-To: alice@example.org, Alice@example.org", nil, all{"alice": 1}},
		"nobody":                {"X-Original-To", 0, "", "To: alice@example.org", nil, all{"rest": 1}},
		"nonsense":              {"X-Original-To", 0, "", "X-Original-To: a b, <>,,", nil, all{"rest": 1}},
		"a foreign domain":      {"X-Original-To", 0, "", "X-Original-To: alice@example.com", nil, all{"rest": 1}},
		"only the topmost":      {"X-Original-To", 0, "", "X-Original-To: alice@example.org\r\nX-Original-To: bob@example.org", nil, all{"alice": 1}},
		"the second":            {"Delivered-To", 1, "", "Delivered-To: box@isp.example\r\nDelivered-To: bob@example.org\r\nDelivered-To: x", nil, all{"bob": 1}},
		"with a prefix":         {"Delivered-To", 0, "box-", "Delivered-To: box-bob@example.org", nil, all{"bob": 1}},
		"Received": {
			"Received", 0, "",
			"Received: by isp.example; Sun, 22 Nov 2026 12:00:00 +0000\r\nReceived: from a by b\r\n\tfor <bob@example.org>; Sun, 22 Nov 2026 12:00:00 +0000\r\nReceived: by c for x@y; z",
			nil,
			all{"bob": 1},
		},
		"Received by words of the sender": {
			"Received", 0, "",
			"Received: from for <alice@example.org> (for <alice@example.org>; x (y)) by isp.example\r\n\twith ESMTP (for <alice@example.org>) for <bob@example.org>; Sun, 22 Nov 2026 12:00:00 +0000",
			nil,
			all{"bob": 1},
		},
		"Received with no for but the sender's": {"Received", 0, "", "Received: from for <alice@example.org> by isp.example; x", nil, all{"rest": 1}},
		"what the source knows":                 {"", 0, "", "X-Original-To: alice@example.org", []string{"bob@example.org"}, all{"bob": 1}},
		"it knows better":                       {"X-Original-To", 0, "", "X-Original-To: alice@example.org", []string{"bob@example.org"}, all{"bob": 1}},
		"was here before":                       {"X-Original-To", 0, "", "X-Loop: isp@here.example\r\nX-Original-To: alice@example.org", nil, all{"rest": 1}},
		"was at another's":                      {"X-Original-To", 0, "", "X-Loop: isp@there.example\r\nX-Original-To: alice@example.org", nil, all{"alice": 1}},
		"went round in circles":                 {"X-Original-To", 0, "", strings.Repeat("Received: by x; y\r\n", 101) + "X-Original-To: alice@example.org", nil, all{"rest": 1}},
		"too many":                              {"Envelope-To", 0, "", "Envelope-To: alice@example.org" + many(101), nil, all{"rest": 1}},
		"in the body is no field":               {"X-Original-To", 0, "", "Subject: x\r\n\r\nX-Original-To: alice@example.org", nil, all{"rest": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &office{dir: t.TempDir()}
			m, err := o.multidrop(test.header, test.skip, test.prefix)
			if err != nil {
				t.Fatal(err)
			}
			message := test.fields + "\r\n\r\ntext\r\n"
			if err := deliver(t.Context(), m, letter("a", message, test.known...), message); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, o.who(t)); d != "" {
				t.Errorf("who got it (-want +got):\n%s", d)
			}
		})
	}
}

func many(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, ", u%d@example.org", i)
	}
	return s.String()
}

// When one recipient cannot get a message now, it is tried again, and the other does not get it twice.
func TestMultidropOneFails(t *testing.T) {
	t.Parallel()
	const message = "X-Original-To: alice@example.org, bob@example.org\r\n\r\ntext\r\n"
	full := map[string]error{"bob": &collect.TemporaryError{Err: errors.New("bob is full")}}
	o := &office{dir: t.TempDir()}
	for try, test := range []struct {
		fail map[string]error
		kind string
		want map[string]int
	}{
		{full, "temporary", map[string]int{"alice": 1}},
		{full, "temporary", map[string]int{"alice": 1}},
		{nil, "delivered", map[string]int{"alice": 1, "bob": 1}},
		{nil, "delivered", map[string]int{"alice": 1, "bob": 1}},
	} {
		o.fail = test.fail
		m, err := o.multidrop("X-Original-To", 0, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := deliver(t.Context(), m, letter("a", message), message); kindOf(err) != test.kind {
			t.Errorf("try %d: %v, want it %s", try, err, test.kind)
		}
		if d := cmp.Diff(test.want, o.who(t)); d != "" {
			t.Errorf("try %d: who has it (-want +got):\n%s", try, d)
		}
	}
	texts, err := readFiles(mailfile.Maildir, "alice")(o.dir)
	if err != nil || !cmp.Equal(texts, []string{"X-Loop: isp@here.example\r\n" + message}) {
		t.Errorf("alice has %q, %v", texts, err)
	}
}

// A header full of addresses costs neither time nor look-ups.
func TestMultidropTooMany(t *testing.T) {
	t.Parallel()
	o := &office{dir: t.TempDir()}
	rest, err := o.sink("rest")
	if err != nil {
		t.Fatal(err)
	}
	m, err := sink.NewMultidrop(sink.MultidropOptions{
		Name: "isp", Header: "Envelope-To", Rest: rest, Loop: "isp@here.example",
		Route: func(_ context.Context, address string) (collect.Sink, error) {
			t.Errorf("%s was looked up", address)
			return nil, sink.ErrNoRoute
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	message := "Envelope-To: x@example.org" + many(10_000) + "\r\n\r\ntext\r\n"
	if err := deliver(t.Context(), m, letter("a", message), message); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"rest": 1}, o.who(t)); d != "" {
		t.Error(d)
	}
}

// When nobody can tell who is who, the message stays where it is.
func TestMultidropDirectoryAway(t *testing.T) {
	t.Parallel()
	o := &office{dir: t.TempDir()}
	m, err := o.multidrop("", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	const message = "X: y\r\n\r\n"
	if err := deliver(t.Context(), m, letter("a", message, "alice@example.org", "bob@broken.example"), message); kindOf(err) != "temporary" {
		t.Errorf("got %v, want it to be temporary", err)
	}
	if got := o.who(t); len(got) > 0 {
		t.Errorf("delivered to %v", got)
	}
}

func TestMultidropOptions(t *testing.T) {
	t.Parallel()
	o := &office{dir: t.TempDir()}
	for _, header := range []string{"To", "cc", "BCC"} {
		if _, err := o.multidrop(header, 0, ""); err == nil || !strings.Contains(err.Error(), "not the envelope") {
			t.Errorf("%s: %v", header, err)
		}
	}
	if _, err := o.multidrop("", -1, ""); err == nil {
		t.Error("skipping -1 fields: no error")
	}
	if _, err := sink.NewMultidrop(sink.MultidropOptions{}); err == nil {
		t.Error("no options: no error")
	}
}

// A multidrop of which one is the only recipient is a sink like the one behind it.
func openMultidrop(dir string) (collect.Sink, error) {
	return (&office{dir: dir}).multidrop("", 0, "")
}

func readMultidrop(dir string) ([]string, error) {
	texts, err := readFiles(mailfile.Maildir, "rest")(dir)
	for i, text := range texts {
		texts[i] = strings.TrimPrefix(text, "X-Loop: isp@here.example\r\n")
	}
	return texts, err
}
