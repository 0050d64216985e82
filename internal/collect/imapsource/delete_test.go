package imapsource_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
)

// listing is the answer to FETCH of the folder's one message.
const listing = "* 1 FETCH (UID 7 RFC822.SIZE 9 FLAGS ())\r\nTAG OK done"

// What is deleted is what was fetched, or nothing.
func TestDeletesNothingElse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		caps   string
		first  string // the answer to EXAMINE, default as in second
		second string // to SELECT
		search string // what is marked
		refuse string // a command that is refused
		want   collect.Class
		says   string   // the error
		sent   []string // what changes something
	}{
		{name: "all is well", caps: "UIDPLUS", want: collect.OK, sent: []string{`STORE 7 +FLAGS.SILENT (\Deleted)`, "EXPUNGE 7"}},
		{name: "without UIDPLUS", search: "* SEARCH 7\r\n", want: collect.OK, sent: []string{`STORE 7 +FLAGS.SILENT (\Deleted)`, "EXPUNGE"}},
		{
			name: "without UIDPLUS, others are marked", search: "* SEARCH 7 9\r\n", want: collect.Permanent, says: "other messages",
			sent: []string{`STORE 7 +FLAGS.SILENT (\Deleted)`},
		},
		{name: "another UIDVALIDITY", caps: "UIDPLUS", second: strings.ReplaceAll(folder, "UIDVALIDITY 5", "UIDVALIDITY 6"), want: collect.Temporary, says: "made anew"},
		{name: "no UIDVALIDITY", caps: "UIDPLUS", first: "* 1 EXISTS\r\n", second: "* 1 EXISTS\r\n", want: collect.Permanent, says: "UIDVALIDITY"},
		{name: "UIDVALIDITY is gone", caps: "UIDPLUS", second: "* 1 EXISTS\r\n", want: collect.Permanent, says: "UIDVALIDITY"},
		{name: "nothing can be deleted", caps: "UIDPLUS", second: folder + `* OK [PERMANENTFLAGS (\Seen)] x` + "\r\n", want: collect.Permanent, says: "keep = true"},
		{name: "marking is not permitted", caps: "UIDPLUS", refuse: "STORE", want: collect.Permanent, says: "NOPERM"},
		{
			name: "removing is not permitted", caps: "UIDPLUS", refuse: "EXPUNGE", want: collect.Permanent, says: "NOPERM",
			sent: []string{`STORE 7 +FLAGS.SILENT (\Deleted)`},
		},
		{name: "nobody knows what is marked", refuse: "SEARCH", want: collect.Permanent, says: "NOPERM", sent: []string{`STORE 7 +FLAGS.SILENT (\Deleted)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var sent []string
			server := &scripted{caps: strings.TrimSpace("IMAP4rev1 " + test.caps), answers: map[string]string{"FETCH": listing}}
			server.serve = func(line string, _ *bufio.Reader, w io.Writer) bool {
				tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
				command = strings.TrimPrefix(command, "UID ")
				word, _, _ := strings.Cut(command, " ")
				answer := ""
				switch {
				case word == test.refuse:
					_, _ = fmt.Fprintf(w, "%s NO [NOPERM] no\r\n", tag)
					return true
				case word == "EXAMINE" && test.first != "":
					answer = test.first
				case word == "SELECT" && test.second != "":
					answer = test.second
				case word == "SEARCH":
					answer = test.search
				case word == "STORE" || word == "EXPUNGE":
					mu.Lock()
					sent = append(sent, command)
					mu.Unlock()
				default:
					return false
				}
				_, _ = fmt.Fprintf(w, "%s%s OK done\r\n", answer, tag)
				return true
			}
			err := deleteFirst(t, server.source(t, nil))
			if got := collect.Classify(err); got != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v: %v, want %v with %q", got, err, test.want, test.says)
			}
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(sent, ", "); got != strings.Join(test.sent, ", ") {
				t.Errorf("it sent %q, want %q", sent, test.sent)
			}
		})
	}
}

func deleteFirst(t *testing.T, src collect.Source) error {
	t.Helper()
	session, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	list, err := session.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := session.Delete(t.Context(), list[0]); err != nil {
		t.Fatal(err)
	}
	return session.Finish(t.Context())
}

// Messages that somebody else removes after the listing are missing alone; the others come, and the session goes on.
func TestVanishes(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	texts := letters()
	for _, text := range texts {
		s.Add(t, "INBOX", text, day)
	}
	session, err := source(t, s, "").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	list, err := session.List(t.Context())
	if err != nil || len(list) != len(texts) {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	gone := map[int]bool{1: true, 3: true, 4: true, len(texts) - 1: true}
	other, err := source(t, s, "").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range gone {
		if err := other.Delete(t.Context(), list[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	session.Prepare(t.Context(), collect.OpRetrieve, list)
	for i, m := range list {
		body, err := session.Retrieve(t.Context(), m)
		if gone[i] {
			if !errors.As(err, new(*collect.MessageError)) || !errors.Is(err, imapclient.ErrGone) {
				t.Errorf("message %d: %v", i, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		text, err := io.ReadAll(body)
		if err := errors.Join(err, body.Close()); err != nil || string(text) != texts[i] {
			t.Errorf("message %d: %d octets, %v", i, len(text), err)
		}
	}
	if err := session.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}
