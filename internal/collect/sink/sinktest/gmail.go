package sinktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Gmail is a double of the part of the Gmail API that the sink uses, made after its documentation: labels, and uploads in
// pieces with their rules on sizes and ranges. The real one was not asked. It is an http.Handler of one mailbox and may be
// used concurrently; its fields are set before.
type Gmail struct {
	// Dir is where messages go, each in a file that begins with "done.".
	Dir string
	// Token is the one that is taken.
	Token string
	// Labels are those of the user's own that are there, name to id. Others are added when they are made.
	Labels map[string]string
	// Fault, if set, may answer in place of the API. after says that the request is carried out first: its answer is lost.
	Fault func(r *http.Request) (status int, body string, after bool)

	mu       sync.Mutex
	uploads  map[string]*upload
	messages []Imported
	requests []string
}

// An Imported is a message in the mailbox.
type Imported struct {
	Labels []string // ids
	Query  string   // of the request that put it there
	Size   int      // in octets
}

type upload struct {
	labels []string
	query  string
	text   bytes.Buffer
	done   string // id of the message
}

// NewGmail returns the double of an empty mailbox with one label of the user's own.
func NewGmail(dir, token string) *Gmail {
	return &Gmail{Dir: dir, Token: token, Labels: map[string]string{"Old Mail": "Label_1"}, uploads: map[string]*upload{}}
}

// Messages returns what is in the mailbox, in the order in which it came.
func (g *Gmail) Messages() []Imported {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.messages)
}

// Requests returns method, path and Content-Range of each request.
func (g *Gmail) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// ServeHTTP answers a request.
func (g *Gmail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Range"))
	if r.Header.Get("Authorization") != "Bearer "+g.Token {
		g.refuse(w, 401, "authError", "Invalid Credentials")
		return
	}
	if g.Fault != nil {
		if status, text, after := g.Fault(r); status != 0 {
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

func (g *Gmail) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	switch {
	case r.Method == "GET" && r.URL.Path == "/gmail/v1/users/me/labels":
		type label struct{ ID, Name string }
		list := []label{{"INBOX", "INBOX"}}
		for name, id := range g.Labels {
			list = append(list, label{id, name})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"labels": list})
	case r.Method == "POST" && r.URL.Path == "/gmail/v1/users/me/labels":
		var in struct{ Name string }
		_ = json.Unmarshal(body, &in)
		if g.Labels[in.Name] != "" {
			g.refuse(w, 409, "aborted", "Label name exists or conflicts")
			return
		}
		g.Labels[in.Name] = fmt.Sprint("Label_", len(g.Labels)+1)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": g.Labels[in.Name], "name": in.Name})
	case r.URL.Path == "/upload/gmail/v1/users/me/messages/import" && r.URL.Query().Get("uploadType") == "resumable":
		g.begin(w, r, body)
	case r.Method == "PUT" && strings.HasPrefix(r.URL.Path, "/up/"):
		g.piece(w, r, body)
	default:
		g.refuse(w, 404, "notFound", "Not Found")
	}
}

func (g *Gmail) refuse(w http.ResponseWriter, status int, reason, message string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, GmailError(status, reason, message))
}

// GmailError is the body of an answer that is no success.
func GmailError(status int, reason, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q,"message":%q}]}}`, status, message, reason, message)
}

// take puts a message into the mailbox.
func (g *Gmail) take(w http.ResponseWriter, labels []string, query string, text []byte) string {
	id := fmt.Sprint("m", len(g.messages))
	if err := os.WriteFile(filepath.Join(g.Dir, "done."+id), text, 0o600); err != nil {
		g.refuse(w, 500, "backendError", err.Error())
		return ""
	}
	g.messages = append(g.messages, Imported{labels, query, len(text)})
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "threadId": id, "labelIds": labels})
	return id
}

func metadata(text []byte) []string {
	var in struct{ LabelIDs []string }
	_ = json.Unmarshal(text, &in)
	return in.LabelIDs
}

func (g *Gmail) begin(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Header.Get("X-Upload-Content-Type") != "message/rfc822" {
		g.refuse(w, 400, "badContent", "not a message")
		return
	}
	id := fmt.Sprint("/up/", len(g.uploads))
	g.uploads[id] = &upload{labels: metadata(body), query: r.URL.RawQuery}
	w.Header().Set("Location", "http://"+r.Host+id)
}

func (g *Gmail) piece(w http.ResponseWriter, r *http.Request, body []byte) {
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
		u.done = g.take(w, u.labels, u.query, u.text.Bytes())
		return
	}
	if u.text.Len() > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.text.Len()-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}
