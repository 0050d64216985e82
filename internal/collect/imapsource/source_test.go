package imapsource_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postamt/postamt/internal/catalog"
	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/imapclient"
	"github.com/postamt/postamt/internal/imapclient/imaptest"
)

func secret(context.Context) (string, error) { return imaptest.Password, nil }

var day = time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)

func source(t *testing.T, s *imaptest.Server, folder string) *imapsource.Source {
	t.Helper()
	src, err := imapsource.New(imapsource.Options{
		URL: "imap://" + imaptest.User + "@" + s.Addr + "/" + folder, Cleartext: true,
		Credentials: imapclient.Credentials{Password: secret}, Client: imapclient.Options{Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func journal(tb testing.TB) *collect.Journal {
	tb.Helper()
	db, err := catalog.Open(context.Background(), filepath.Join(tb.TempDir(), "journal.db"), catalog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	j, err := collect.NewJournal(context.Background(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// letters are messages of different sizes, the third too large to be asked for ahead.
func letters() (texts []string) {
	for i, size := range []int{0, 10, 3 << 20, 70_000, 200_000, 1, 2, 3, 4, 300_000, 5, 6, 7} {
		texts = append(texts, fmt.Sprintf("Message-ID: <%d@d>\r\nDate: Fri, 20 Nov 2026 08:30:00 +0000\r\n\r\n", i)+strings.Repeat("0123456789abcde\r\n", size/16))
	}
	return texts
}

// A home is a Maildir with an account that fetches into it.
type home struct {
	account collect.Account
	options collect.Options
	maildir string
}

func newHome(t *testing.T, src collect.Source) *home {
	t.Helper()
	h := &home{maildir: t.TempDir(), options: collect.Options{Journal: journal(t)}}
	maildir, err := sink.NewMaildir(h.maildir, sink.MaildirOptions{CRLF: true})
	if err != nil {
		t.Fatal(err)
	}
	h.account = collect.Account{Name: "a", Source: src, Sinks: []collect.Sink{maildir}, Rules: collect.Rules{Delete: true}}
	return h
}

func (h *home) want(t *testing.T, texts []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(h.maildir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	want := slices.Clone(texts)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d messages came, %d were sent, and they are not the same", len(got), len(want))
	}
}

// A folder is fetched to the octet and emptied, and mail that somebody else marked stays.
func TestFetchAndDelete(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	texts := letters()
	for _, text := range texts {
		s.Add(t, "INBOX", text, day)
	}
	h := newHome(t, source(t, s, ""))
	rep, err := collect.Run(t.Context(), h.account, h.options)
	if err != nil || rep.Fetched != len(texts) || rep.Deleted != len(texts) || s.Count(t, "INBOX") != 0 {
		t.Fatalf("%+v %v, %d are left", rep, err, s.Count(t, "INBOX"))
	}
	h.want(t, texts)
}

// A folder that was made anew, with another UIDVALIDITY, brings nothing twice (ADR 12).
func TestAnotherUIDValidity(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	texts := letters()
	fill := func() {
		s.Make(t, "Work")
		for _, text := range texts {
			s.Add(t, "Work", text, day)
		}
	}
	fill()
	h := newHome(t, source(t, s, "Work"))
	h.account.Rules.Delete = false
	if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Fetched != len(texts) || rep.Deleted != 0 {
		t.Fatalf("%+v %v", rep, err)
	}
	for range 2 {
		s.Remove(t, "Work")
		fill()
		rep, err := collect.Run(t.Context(), h.account, h.options)
		if err != nil || rep.Fetched != 0 || rep.Renumbered != len(texts) {
			t.Errorf("%+v %v", rep, err)
		}
	}
	h.want(t, texts)
	h.account.Rules.Delete = true
	if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Fetched != 0 || rep.Deleted != len(texts) {
		t.Errorf("%+v %v", rep, err)
	}
}

// Without UIDPLUS a deletion that would remove what others have marked does not happen, and needs a person.
func TestOthersMarks(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{Without: []string{"UIDPLUS"}})
	s.Add(t, "INBOX", "Message-ID: <1>\r\n\r\n", day)
	h := newHome(t, source(t, s, ""))
	if rep, err := collect.Run(t.Context(), h.account, h.options); err != nil || rep.Deleted != 1 || s.Count(t, "INBOX") != 0 {
		t.Fatalf("%+v %v", rep, err)
	}
	s.Add(t, "INBOX", "Message-ID: <2>\r\n\r\n", day)
	s.Add(t, "INBOX", "Message-ID: <3>\r\n\r\n", day, `\Deleted`)
	h.account.Rules.KeepNewest = 1 // ours is the first one
	rep, err := collect.Run(t.Context(), h.account, h.options)
	if collect.Classify(err) != collect.Permanent || !errors.Is(err, imapclient.ErrOthersMarked) || rep.Fetched != 2 || s.Count(t, "INBOX") != 2 {
		t.Errorf("%+v %v, %d are left", rep, err, s.Count(t, "INBOX"))
	}
}

// Letters have the date and the marks of the folder.
func TestDateAndFlags(t *testing.T) {
	t.Parallel()
	s := imaptest.Start(t, imaptest.Options{})
	s.Add(t, "INBOX", "Message-ID: <1>\r\n\r\n", day, `\Seen`, `\Flagged`, "$Junk")
	session, err := source(t, s, "").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	list, err := session.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Date.Equal(day) || list[0].Flags != `\Seen \Flagged` || !strings.HasSuffix(list[0].UID, ".1") {
		t.Errorf("%+v %v", list, err)
	}
	if info := session.Info(); info.Protocol != "IMAP" {
		t.Errorf("%+v", info)
	}
	if err := session.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}
