package sink_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/collect/sink/sinktest"
)

// A gmail is a double of the part of the Gmail API that the sink uses, made after its documentation: labels, uploads in
// one request and uploads in pieces with their rules on sizes and ranges. The real one was not asked.
type gmail struct {
	dir    string
	server *httptest.Server

	mu       sync.Mutex
	token    string // the one that is taken
	labels   map[string]string
	uploads  map[string]*upload
	messages []imported
	requests []string
	// fault may answer in place of the API. after says that the request is carried out first: its answer is lost.
	fault func(r *http.Request) (status int, body string, after bool)
}

type upload struct {
	labels []string
	text   bytes.Buffer
	done   string // id of the message
}

type imported struct {
	Labels []string
	Query  string
	Size   int
}

func newGmail(dir string) *gmail {
	g := &gmail{dir: dir, token: "good", labels: map[string]string{"Old Mail": "Label_1"}, uploads: map[string]*upload{}}
	g.server = httptest.NewServer(http.HandlerFunc(g.serve))
	return g
}

func (g *gmail) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Range"))
	if r.Header.Get("Authorization") != "Bearer "+g.token {
		g.refuse(w, 401, "authError", "Invalid Credentials")
		return
	}
	if g.fault != nil {
		if status, text, after := g.fault(r); status != 0 {
			if after {
				g.answer(httptest.NewRecorder(), r, body)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
	}
	g.answer(w, r, body)
}

func (g *gmail) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method == "GET" && r.URL.Path == "/gmail/v1/users/me/labels":
		type label struct{ ID, Name string }
		list := []label{{"INBOX", "INBOX"}}
		for name, id := range g.labels {
			list = append(list, label{id, name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"labels": list})
	case r.Method == "POST" && r.URL.Path == "/gmail/v1/users/me/labels":
		var in struct{ Name string }
		_ = json.Unmarshal(body, &in)
		if g.labels[in.Name] != "" {
			g.refuse(w, 409, "aborted", "Label name exists or conflicts")
			return
		}
		g.labels[in.Name] = fmt.Sprint("Label_", len(g.labels)+1)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": g.labels[in.Name], "name": in.Name})
	case r.URL.Path == "/upload/gmail/v1/users/me/messages/import" && r.URL.Query().Get("uploadType") == "multipart":
		g.whole(w, r, body)
	case r.URL.Path == "/upload/gmail/v1/users/me/messages/import" && r.URL.Query().Get("uploadType") == "resumable":
		g.begin(w, r, body)
	case r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/up/"):
		g.piece(w, r, body)
	default:
		g.refuse(w, 404, "notFound", "Not Found")
	}
}

func (g *gmail) refuse(w http.ResponseWriter, status int, reason, message string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, gmailError(status, reason, message))
}

func gmailError(status int, reason, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q,"message":%q}]}}`, status, message, reason, message)
}

// take puts a message into the mailbox.
func (g *gmail) take(w http.ResponseWriter, labels []string, query string, text []byte) string {
	id := fmt.Sprint("m", len(g.messages))
	if err := os.WriteFile(filepath.Join(g.dir, "done."+id), text, 0o600); err != nil {
		g.refuse(w, 500, "backendError", err.Error())
		return ""
	}
	g.messages = append(g.messages, imported{labels, query, len(text)})
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "threadId": id, "labelIds": labels})
	return id
}

func metadata(text []byte) []string {
	var in struct{ LabelIDs []string }
	_ = json.Unmarshal(text, &in)
	return in.LabelIDs
}

func (g *gmail) whole(w http.ResponseWriter, r *http.Request, body []byte) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	if err != nil || kind != "multipart/related" {
		g.refuse(w, 400, "badContent", "not multipart/related")
		return
	}
	var texts [][]byte
	for _, want := range []string{"application/json", "message/rfc822"} {
		p, err := parts.NextRawPart()
		if err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), want) {
			g.refuse(w, 400, "badContent", "a part is missing: "+want)
			return
		}
		text, _ := io.ReadAll(p)
		texts = append(texts, text)
	}
	g.take(w, metadata(texts[0]), r.URL.RawQuery, texts[1])
}

func (g *gmail) begin(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Header.Get("X-Upload-Content-Type") != "message/rfc822" {
		g.refuse(w, 400, "badContent", "not a message")
		return
	}
	id := fmt.Sprint("/up/", len(g.uploads))
	g.uploads[id] = &upload{labels: metadata(body)}
	w.Header().Set("Location", g.server.URL+id)
}

func (g *gmail) piece(w http.ResponseWriter, r *http.Request, body []byte) {
	u := g.uploads[r.URL.Path]
	if u == nil {
		g.refuse(w, 404, "notFound", "no such upload")
		return
	}
	content, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	if content != "*" {
		from, to, _ := strings.Cut(content, "-")
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		switch {
		case err1 != nil || err2 != nil || first != u.text.Len() || last-first+1 != len(body):
			g.refuse(w, 400, "badRequest", "wrong Content-Range "+content)
			return
		case total == "*" && len(body)%(256<<10) != 0:
			g.refuse(w, 400, "badRequest", "not a multiple of 256 KiB")
			return
		}
		u.text.Write(body)
	}
	if total == strconv.Itoa(u.text.Len()) {
		if u.done != "" {
			_ = json.NewEncoder(w).Encode(map[string]any{"id": u.done})
			return
		}
		u.done = g.take(w, u.labels, r.URL.RawQuery, u.text.Bytes())
		return
	}
	if u.text.Len() > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.text.Len()-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

func newGmailSink(g *gmail, opt sink.GmailOptions) (*sink.Gmail, error) {
	opt.User, opt.Address = "bob@gmail.com", g.server.URL
	if opt.Token == nil {
		opt.Token = func(context.Context) (string, error) { return "good", nil }
	}
	opt.Transport = &http.Transport{}
	return sink.NewGmail(opt)
}

func openGmail(dir string) (collect.Sink, error) {
	g := newGmail(dir)
	s, err := newGmailSink(g, sink.GmailOptions{})
	if err != nil {
		g.server.Close()
		return nil, err
	}
	return closing{s, func() error { g.server.Close(); return nil }}, nil
}

func startGmail(t *testing.T, opt sink.GmailOptions) (*gmail, *sink.Gmail) {
	t.Helper()
	g := newGmail(t.TempDir())
	s, err := newGmailSink(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); g.server.Close() })
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
	one := imported{[]string{"INBOX", "Label_1", "Label_2"}, "internalDateSource=dateHeader&neverMarkSpam=true&uploadType=multipart", len(text)}
	if d := cmp.Diff([]imported{one, one}, g.messages); d != "" {
		t.Error(d)
	}
	want := []string{
		"GET /gmail/v1/users/me/labels ", "POST /gmail/v1/users/me/labels ",
		"POST /upload/gmail/v1/users/me/messages/import ", "POST /upload/gmail/v1/users/me/messages/import ",
	}
	if d := cmp.Diff(want, g.requests); d != "" {
		t.Error(d)
	}
}

// mebibytes returns a message of n MiB and some octets more.
func mebibytes(n, more int) string {
	const line = "a line of text in a large message, with no more in it than that\r\n"
	s := strings.Repeat(line, (n<<20+more)/len(line)+1)
	return "X: y\r\n\r\n" + s[:n<<20+more-8]
}

// A large message goes in pieces. Whatever answer is lost on the way, the message is there once.
func TestGmailPieces(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1<<20 - 1, 1 << 20, 1<<20 + 1, 2 << 20, 2<<20 + 12345} {
		message := mebibytes(0, size)
		requests := 0
		for lost := -1; lost < max(requests, 1); lost++ {
			g, s := startGmail(t, sink.GmailOptions{})
			n := 0
			g.fault = func(r *http.Request) (int, string, bool) {
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
			got, err := readFolder(g.dir)
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
		{"not a message", 400, gmailError(400, "invalidArgument", "Invalid From header"), "final", "Invalid From header"},
		{"too large", 413, gmailError(413, "uploadTooLarge", "too large"), "final", "too large"},
		{"too many requests", 429, gmailError(429, "rateLimitExceeded", "slow down"), "temporary", "rateLimitExceeded"},
		{"over the quota", 403, gmailError(403, "userRateLimitExceeded", "slow down"), "temporary", "userRateLimitExceeded"},
		{"wrong scopes", 403, gmailError(403, "insufficientPermissions", "no"), "temporary", "gmail.insert and gmail.labels"},
		{"away", 502, "<html>Bad Gateway</html>", "temporary", "502"},
		{"no answer to go by", 200, "{}", "temporary", "without the id"},
		{"a redirect", 302, "", "temporary", "302"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g, s := startGmail(t, sink.GmailOptions{})
			g.fault = func(*http.Request) (int, string, bool) { return test.status, test.body, false }
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
		if want := map[string]int{"good": 1}[next]; len(g.messages) != want {
			t.Errorf("%d messages there, want %d", len(g.messages), want)
		}
	}
	_, s := startGmail(t, sink.GmailOptions{Token: func(context.Context) (string, error) { return "", errors.New("sign in again") }})
	if err := sinktest.Deliver(t.Context(), s, "a", text); kindOf(err) != "temporary" || !strings.Contains(err.Error(), "sign in again") {
		t.Errorf("without a token: %v", err)
	}
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
			s, err := newGmailSink(&gmail{server: server}, sink.GmailOptions{})
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
	s, err := newGmailSink(&gmail{server: server}, sink.GmailOptions{})
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
