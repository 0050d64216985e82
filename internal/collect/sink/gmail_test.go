package sink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
)

// newGmailSink returns a sink whose API is at an address.
func newGmailSink(address string, opt sink.GmailOptions) (*sink.Gmail, error) {
	opt.User, opt.Address = "bob@gmail.com", address
	if opt.Token == nil {
		opt.Token = func(context.Context) (string, error) { return "good", nil }
	}
	opt.Transport = &http.Transport{}
	opt.Wait = func(context.Context, time.Duration) error { return nil }
	return sink.NewGmail(opt)
}

func openGmail(dir string) (collect.Sink, error) {
	server := httptest.NewServer(sinktest.NewGmail(dir, "good"))
	s, err := newGmailSink(server.URL, sink.GmailOptions{})
	if err != nil {
		server.Close()
		return nil, err
	}
	return closing{s, func() error { server.Close(); return nil }}, nil
}

func startGmail(t *testing.T, opt sink.GmailOptions) (*sinktest.Gmail, *sink.Gmail) {
	t.Helper()
	g := sinktest.NewGmail(t.TempDir(), "good")
	server := httptest.NewServer(g)
	s, err := newGmailSink(server.URL, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); server.Close() })
	return g, s
}

// Labels are looked up by name and made where they are missing; the date is the message's own; spam is the user's choice.
func TestGmailLabels(t *testing.T) {
	t.Parallel()
	g, s := startGmail(t, sink.GmailOptions{Labels: []string{"INBOX", "old mail", "From ISP"}})
	for _, key := range []string{"a", "b"} {
		if err := sinktest.Deliver(t.Context(), s, key, text); err != nil {
			t.Fatal(err)
		}
	}
	one := sinktest.Imported{Labels: []string{"INBOX", "Label_1", "Label_2"}, Query: "internalDateSource=dateHeader&neverMarkSpam=true&uploadType=resumable", Size: len(text)}
	if d := cmp.Diff([]sinktest.Imported{one, one}, g.Messages()); d != "" {
		t.Error(d)
	}
	last := fmt.Sprintf("%d/%d", len(text)-1, len(text))
	want := []string{
		"GET /gmail/v1/users/me/labels ", "POST /gmail/v1/users/me/labels ",
		"POST /upload/gmail/v1/users/me/messages/import ", "PUT /up/0 bytes 0-" + last, "POST /upload/gmail/v1/users/me/messages/import ", "PUT /up/1 bytes 0-" + last,
	}
	if d := cmp.Diff(want, g.Requests()); d != "" {
		t.Error(d)
	}
}

// mebibytes returns a message of n MiB and some octets more.
func mebibytes(n, more int) string {
	const line = "a line of text in a large message, with no more in it than that\r\n"
	s := strings.Repeat(line, (n<<20+more)/len(line)+1)
	return "X: y\r\n\r\n" + s[:n<<20+more-8]
}

// A large message goes in pieces. Whatever answer is lost on the way, of whatever size it is, the message is there once.
func TestGmailPieces(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 1<<20 - 1, 1 << 20, 1<<20 + 1, 2 << 20, 2<<20 + 12345} {
		message := mebibytes(0, size)
		requests := 0
		for lost := -1; lost < max(requests, 1); lost++ {
			g, s := startGmail(t, sink.GmailOptions{})
			n := 0
			g.Fault = func(r *http.Request) (int, string, bool) {
				if r.Method != "PUT" {
					return 0, "", false
				}
				n++
				if n-1 == lost {
					return 503, "", true
				}
				return 0, "", false
			}
			if err := sinktest.Deliver(t.Context(), s, "a", message); err != nil {
				t.Fatalf("%d octets, answer %d lost: %v", size, lost, err)
			}
			if lost < 0 {
				requests = n
			}
			got, err := readFolder(g.Dir)
			if err != nil || len(got) != 1 || got[0] != message {
				t.Fatalf("%d octets, answer %d lost: %d messages there, %v", size, lost, len(got), err)
			}
		}
	}
}

func TestGmailRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		status       int
		body         string
		want, detail string
	}{
		{"not a message", 400, sinktest.GmailError(400, "invalidArgument", "Invalid From header"), "final", "Invalid From header"},
		{"too large", 413, sinktest.GmailError(413, "uploadTooLarge", "too large"), "final", "too large"},
		{"switched off", 400, sinktest.GmailError(400, "failedPrecondition", "Mail service not enabled"), "temporary", "not enabled"},
		{"too many requests", 429, sinktest.GmailError(429, "rateLimitExceeded", "slow down"), "temporary", "rateLimitExceeded"},
		{"over the quota", 403, sinktest.GmailError(403, "userRateLimitExceeded", "slow down"), "temporary", "userRateLimitExceeded"},
		{"wrong scopes", 403, sinktest.GmailError(403, "insufficientPermissions", "no"), "temporary", "gmail.insert and gmail.labels"},
		{"away", 502, "<html>Bad Gateway</html>", "temporary", "502"},
		{"no answer to go by", 200, "{}", "temporary", "without the id"},
		{"a redirect", 302, "", "temporary", "302"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g, s := startGmail(t, sink.GmailOptions{})
			g.Fault = func(r *http.Request) (int, string, bool) {
				if test.status == 200 && r.Method == "POST" { // the upload begins well
					return 0, "", false
				}
				return test.status, test.body, false
			}
			err := sinktest.Deliver(t.Context(), s, "a", text)
			if kindOf(err) != test.want || err == nil || !strings.Contains(err.Error(), test.detail) {
				t.Errorf("got %v, want %s with %q", err, test.want, test.detail)
			}
			if strings.Contains(err.Error(), "good") || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not fit to be shown: %q", err)
			}
		})
	}
}

// A token that is refused is told to its source, once, and the message goes with the next one.
func TestGmailToken(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"good", "bad too"} {
		token, refused := "bad", []string(nil)
		g, s := startGmail(t, sink.GmailOptions{
			Token:   func(context.Context) (string, error) { return token, nil },
			Refused: func(old string) { refused = append(refused, old); token = next },
		})
		err := sinktest.Deliver(t.Context(), s, "a", text)
		if (next == "good") != (err == nil) || err != nil && (kindOf(err) != "temporary" || strings.Contains(err.Error(), "bad")) {
			t.Errorf("with the token %q: %v", next, err)
		}
		if d := cmp.Diff([]string{"bad"}, refused); d != "" {
			t.Error(d)
		}
		if want := map[string]int{"good": 1}[next]; len(g.Messages()) != want {
			t.Errorf("%d messages there, want %d", len(g.Messages()), want)
		}
	}
	_, s := startGmail(t, sink.GmailOptions{Token: func(context.Context) (string, error) { return "", errors.New("sign in again") }})
	if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" || !strings.Contains(err.Error(), "sign in again") {
		t.Errorf("without a token: %v", err)
	}
}

// A label that was deleted in Gmail is made again, and no message is given up for it.
func TestGmailLabelGone(t *testing.T) {
	t.Parallel()
	g, s := startGmail(t, sink.GmailOptions{Labels: []string{"Old Mail"}})
	gone := false
	g.Fault = func(r *http.Request) (int, string, bool) {
		if gone && r.Method == "POST" && strings.HasPrefix(r.URL.Path, "/upload/") {
			gone = false
			return 400, sinktest.GmailError(400, "invalidArgument", "Invalid label: Label_1"), false
		}
		return 0, "", false
	}
	for _, want := range []string{"delivered", "temporary", "delivered"} {
		if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != want {
			t.Errorf("%v, want it %s", err, want)
		}
		gone = want == "delivered" && len(g.Messages()) == 1
	}
	lookups := 0
	for _, r := range g.Requests() {
		if strings.HasPrefix(r, "GET ") {
			lookups++
		}
	}
	if lookups != 2 {
		t.Errorf("labels were looked up %d times, want 2", lookups)
	}
}

// Without a network for a while an upload is taken up again later and later, then given up.
func TestGmailWaits(t *testing.T) {
	t.Parallel()
	g, s := startGmail(t, sink.GmailOptions{})
	g.Fault = func(r *http.Request) (int, string, bool) { return 503, "", r.Method == "POST" }
	if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" {
		t.Errorf("an upload that cannot begin: %v", err)
	}
	var waits []time.Duration
	slow, err := sink.NewGmail(sink.GmailOptions{
		User: "bob@gmail.com", Token: func(context.Context) (string, error) { return "good", nil },
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == "PUT" {
				return nil, errors.New("no route to host")
			}
			header := http.Header{"Location": {sink.GmailAddress + "/up/1"}}
			return &http.Response{StatusCode: 200, Header: header, Body: http.NoBody}, nil
		}),
		Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d/time.Second); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sinktest.Deliver(t.Context(), slow, "a", text); kindOf(err) != "temporary" {
		t.Errorf("without a network: %v", err)
	}
	if d := cmp.Diff([]time.Duration{2, 4, 8, 16, 32}, waits); d != "" {
		t.Error(d)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An API that says nothing does not hold a run up for ever.
func TestGmailSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := sink.NewGmail(sink.GmailOptions{
			User: "bob@gmail.com", Token: func(context.Context) (string, error) { return "good", nil },
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" || time.Since(start) != 5*time.Minute {
			t.Errorf("%v after %v, want it to be temporary after 5 minutes", err, time.Since(start))
		}
	})
}

// A server that lies about an upload gets neither our token elsewhere nor an endless dialogue.
func TestGmailLies(t *testing.T) {
	t.Parallel()
	message := mebibytes(2, 1)
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request){
		"an upload elsewhere": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", "http://127.0.0.1:1/steal") },
		"no upload":           func(http.ResponseWriter, *http.Request) {},
		"never a step":        endless(""),
		"beyond the end":      endless("bytes=0-99999999"),
		"nonsense":            endless("bytes=0-x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if requests++; requests > 20 {
					t.Error("too many requests")
				}
				fault(w, r)
			}))
			defer server.Close()
			s, err := newGmailSink(server.URL, sink.GmailOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := sinktest.Deliver(t.Context(), s, "a", message); kindOf(err) != "temporary" {
				t.Errorf("got %v, want it to be temporary", err)
			}
		})
	}
}

// endless begins an upload and says 308 for ever.
func endless(have string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.Header().Set("Location", "/up/1")
			return
		}
		if have != "" {
			w.Header().Set("Range", have)
		}
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

func TestGmailOptions(t *testing.T) {
	t.Parallel()
	token := func(context.Context) (string, error) { return "x", nil }
	for name, opt := range map[string]sink.GmailOptions{
		"no address":      {Token: token},
		"no token":        {User: "bob@gmail.com"},
		"a broken label":  {User: "bob@gmail.com", Token: token, Labels: []string{"a\nb"}},
		"too many labels": {User: "bob@gmail.com", Token: token, Labels: make([]string, 51)},
		"a broken API":    {User: "bob@gmail.com", Token: token, Address: "file:///etc"},
	} {
		if _, err := sink.NewGmail(opt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Not parallel: it measures memory. The API of this test keeps nothing.
func TestGmailLarge(t *testing.T) {
	have := int64(0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		switch {
		case r.Method == "POST":
			w.Header().Set("Location", "/up/1")
		case strings.HasSuffix(r.Header.Get("Content-Range"), "/*"):
			have += n
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", have-1))
			w.WriteHeader(http.StatusPermanentRedirect)
		default:
			_, _ = io.WriteString(w, `{"id":"1"}`)
		}
	}))
	defer server.Close()
	s, err := newGmailSink(server.URL, sink.GmailOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sinktest.Large(t, s, 64<<20)
	// More than Gmail takes is refused before all of it was sent.
	d, err := s.Begin(t.Context(), sinktest.Letter("b"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	block := make([]byte, 1<<20)
	have = 0
	for range 200 {
		if _, err = d.Write(block); err != nil {
			break
		}
	}
	if kindOf(err) != "final" || !strings.Contains(err.Error(), "157286400") {
		t.Errorf("a message of 200 MiB: %v", err)
	}
}
