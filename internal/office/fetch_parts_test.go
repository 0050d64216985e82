package office

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/mailstore"
	"github.com/postamt/postamt/pop3/pop3client"
)

// The exit status of a filter is its verdict, and it sees the header.
func TestHeaderFilter(t *testing.T) {
	t.Parallel()
	header := []byte("Subject: x\r\n\r\n")
	for _, tt := range []struct {
		name, script string
		want         collect.Verdict
		err          string
	}{
		{"fetch", "exit 0", collect.Fetch, ""},
		{"delete", "exit 1", collect.Discard, ""},
		{"leave", "exit 2", collect.Leave, ""},
		{"sees the header", "grep -q '^Subject: x' && exit 2", collect.Leave, ""},
		{"reads all or nothing", "exec 0<&-; exit 1", collect.Discard, ""},
		{"another status", "exit 3", collect.Leave, "the filter sh ended with exit status 3; 0 is fetch, 1 delete, 2 leave"},
		{"a signal is no verdict", "kill -9 $$", collect.Leave, "the filter sh ended with signal: killed; 0 is fetch, 1 delete, 2 leave"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := headerFilter([]string{"sh", "-c", tt.script})(t.Context(), header)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tt.want || text != tt.err {
				t.Errorf("got %v, %q", got, text)
			}
		})
	}
	if _, err := headerFilter([]string{"/no/such/program"})(t.Context(), header); err == nil || !strings.HasPrefix(err.Error(), "the filter cannot be run: ") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// A filter that hangs ends with the run, and its children with it: they would keep the pipe open.
func TestHeaderFilterEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = os.ReadFile(started)
		cancel()
	}()
	_, err := headerFilter([]string{"sh", "-c", "echo >" + started + "; sleep 1000 & wait"})(ctx, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A server's key is remembered once, and stays until somebody removes the file.
func TestKnownKey(t *testing.T) {
	t.Parallel()
	k := knownKey{filepath.Join(t.TempDir(), "fetch", "isp.key")}
	if _, ok, err := k.pin(); ok || err != nil {
		t.Fatalf("at first: %v %v", ok, err)
	}
	want := pop3client.Pin{1, 2, 3}
	if err := k.remember(want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := k.pin(); got != want || !ok || err != nil {
		t.Errorf("%v %v %v", got, ok, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(k.path)); len(entries) != 1 {
		t.Errorf("%v is left in the folder", entries)
	}
	for _, text := range []string{"sha256/AAAA", strings.Repeat("x", maxKnownKey+1), ""} {
		if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := k.pin(); ok || err == nil {
			t.Errorf("%.20q is taken for a key: %v", text, err)
		}
	}
}

// A notice comes into the maildrop once, and to the webhook.
func TestNotices(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	v, ids := openVault(t, cfg, "bob")
	var posted []FetchNotice
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n FetchNotice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s: %v", r.Method, err)
		}
		posted = append(posted, n)
	}))
	defer hook.Close()
	n := &notifier{store: v.Store, accounts: v.Accounts, hostname: "mail.example.com", to: "bob@example.com", webhook: hook.URL, client: hook.Client()}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	failed := FetchNotice{
		Account: "isp", Server: "pop.example.net", User: "b", State: FetchFailed, Class: "permanent",
		Error: "wrong password\r\nBcc: x\x1b[2J", Since: now.Add(-time.Hour), Time: now, Key: "isp.1",
	}
	recovered := FetchNotice{Account: "isp", Server: "pop.example.net", User: "b", State: FetchRecovered, Time: now.Add(time.Hour), Key: "isp.2"}
	for _, notice := range []FetchNotice{failed, failed, recovered} {
		if err := n.notify(t.Context(), notice); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]FetchNotice{failed, failed, recovered}, posted); diff != "" {
		t.Errorf("the webhook (-want +got)\n%s", diff)
	}
	got := messages(t, v, ids["bob"])
	want := []string{`From: Postamt <postmaster@mail.example.com>
To: bob@example.com
Subject: Mail of "isp" cannot be fetched any more
Date: Sun, 22 Nov 2026 12:00:00 +0000
Message-ID: <fetch-notice.isp.1@mail.example.com>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Account: isp (user b at pop.example.net)
It worked last at Sun, 22 Nov 2026 11:00:00 +0000.
What is wrong: wrong password? Bcc: x?[2J

Nothing is lost: the mail waits on the server. Postamt goes on trying, and writes again when it works.
"postamt fetch status" shows all accounts, and "postamt fetch isp" tries at once.
`, `From: Postamt <postmaster@mail.example.com>
To: bob@example.com
Subject: Mail of "isp" is fetched again
Date: Sun, 22 Nov 2026 13:00:00 +0000
Message-ID: <fetch-notice.isp.2@mail.example.com>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Account: isp (user b at pop.example.net)
It works again since Sun, 22 Nov 2026 13:00:00 +0000.
`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the maildrop (-want +got)\n%s", diff)
	}
}

// What does not work is said, without the address of the webhook, and does not keep the other one from it.
func TestNoticesThatCannotBe(t *testing.T) {
	t.Parallel()
	v, _ := openVault(t, settings(t))
	hook := httptest.NewServer(http.NotFoundHandler())
	defer hook.Close()
	n := &notifier{store: v.Store, accounts: v.Accounts, hostname: "h", to: "nobody", webhook: hook.URL, client: hook.Client()}
	err := n.notify(t.Context(), FetchNotice{Account: "isp", Key: "k"})
	if err == nil || !strings.Contains(err.Error(), "maildrop nobody (collector.alarm_to)") || !strings.Contains(err.Error(), "it answered 404 Not Found") {
		t.Errorf("%v", err)
	}
	n = &notifier{webhook: "http://127.0.0.1:1/secret-token", client: hook.Client()}
	if err := n.notify(t.Context(), FetchNotice{}); err == nil || strings.Contains(err.Error(), "secret-token") {
		t.Errorf("%v", err)
	}
}

// messages returns what is in a maildrop, with LF line ends.
func messages(t *testing.T, v *Vault, id int64) (all []string) {
	t.Helper()
	drop, err := v.Store.Open(t.Context(), mailstore.DropID(id), mailstore.View{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = drop.Close() }()
	for i := range drop.Len() {
		body, err := drop.Body(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body.R)
		if err != nil {
			t.Fatal(err)
		}
		_ = body.R.Close()
		all = append(all, strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
	return all
}
