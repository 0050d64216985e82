package office

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
)

// heard is a log that passes on the messages of a kind.
type heard struct {
	want string
	ch   chan struct{}
}

func listen(want string) *heard { return &heard{want, make(chan struct{}, 100)} }

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *heard) WithGroup(string) slog.Handler            { return h }
func (h *heard) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.want && r.Level >= slog.LevelInfo {
		select {
		case h.ch <- struct{}{}:
		default:
		}
	}
	return nil
}

func (h *heard) wait(t *testing.T) {
	t.Helper()
	select {
	case <-h.ch:
	case <-time.After(time.Minute):
		t.Fatalf("the log never said %q", h.want)
	}
}

// from returns a [[fetch]] of bob's mail at an office, into the account bob.
func from(t *testing.T, far *running, name string) config.Fetch {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	f := config.DefaultFetch()
	f.Name, f.URL, f.TLS = name, "pop3://bob@"+far.addr("pop3"), "none"
	f.Password, f.To, f.Trace = "file:"+secret, []string{"store:bob"}, false
	f.Interval = config.Duration(20 * time.Millisecond)
	return f
}

// A daemon fetches what a reload brings, says so on the page for monitoring, and stops when another reload takes it away.
func TestServeFetches(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "Subject: one\r\n\r\nHello.")
	cfg := settings(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	log := listen("fetched")
	home := startWith(t, cfg, Options{Log: slog.New(log), StopTimeout: time.Minute})
	home.change(func(c *config.Config) { c.Fetch = []config.Fetch{from(t, far, "isp")} })
	if _, err := home.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t)
	bob, err := home.Vault().Accounts.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Subject: one\n\nHello.\n"}, messages(t, home.Vault(), bob.ID)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	page := home.page(t)
	for _, want := range []string{`postamt_fetch_messages_total{account="isp"} 1`, `postamt_fetch_alarm{account="isp"} 0`} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("%s is not on the page:\n%s", want, page)
		}
	}
	// A reload that has nothing to do with it does not disturb it.
	home.change(func(c *config.Config) { c.Log.Level = "debug" })
	if _, err := home.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	deliver(t, far.addr("lmtp"), "Subject: two\r\n\r\nHello.")
	log.wait(t)
	// Another account in its place.
	home.change(func(c *config.Config) { c.Fetch = []config.Fetch{from(t, far, "other")} })
	if _, err := home.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	deliver(t, far.addr("lmtp"), "Subject: three\r\n\r\nHello.")
	log.wait(t)
	if page := home.page(t); strings.Contains(page, `account="isp"`) || !strings.Contains(page, `account="other"`) {
		t.Errorf("the page:\n%s", page)
	}
	home.stop() // while it runs
	if n := len(reopened(t, cfg, bob.ID)); n != 3 {
		t.Errorf("%d messages came, want 3", n)
	}
}

// page returns the page for monitoring.
func (r *running) page(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + r.monitor.l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func reopened(t *testing.T, cfg *config.Config, id int64) []string {
	t.Helper()
	v, _ := openVault(t, cfg)
	return messages(t, v, id)
}

// What cannot be fetched as it is configured fails alone, says why, and raises its alarm once.
func TestOneBrokenAccount(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "Subject: one\r\n\r\nHello.")
	cfg := settings(t)
	v, ids := openVault(t, cfg, "bob")
	good, noCA, noAccount, prompt := from(t, far, "good"), from(t, far, "no-ca"), from(t, far, "no-account"), from(t, far, "prompt")
	noCA.CA = filepath.Join(t.TempDir(), "none.pem")
	noAccount.To = []string{"store:nobody"}
	prompt.Password = "prompt"
	cfg.Fetch, cfg.Collector.AlarmTo = []config.Fetch{noCA, noAccount, prompt, good}, "bob"
	c := openCollector(t, cfg, v, CollectorOptions{})
	for range 2 {
		for _, r := range c.Once(t.Context()) {
			want := collect.Permanent
			if r.Account == "good" {
				want = collect.OK
			}
			if r.Class() != want {
				t.Errorf("%s: %v (%v), want %v", r.Account, r.Class(), r.Err, want)
			}
		}
	}
	var subjects []string
	for _, m := range messages(t, v, ids["bob"]) {
		for line := range strings.Lines(m) {
			if strings.HasPrefix(line, "Subject: ") {
				subjects = append(subjects, strings.TrimSpace(line))
			}
		}
	}
	if n := len(subjects); n != 4 {
		t.Errorf("%d messages, want one letter and three notices: %q", n, subjects)
	}
	if _, err := OpenCollector(t.Context(), cfg, v, CollectorOptions{Names: []string{"god"}}); err == nil ||
		err.Error() != `there is no [[fetch]] with the name "god", there are: no-ca, no-account, prompt, good` {
		t.Errorf("an unknown name: %v", err)
	}
}

// A dry run changes nothing, and a prompt asks once.
func TestPlanAndPrompt(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "Subject: one\r\n\r\nHello.")
	cfg := settings(t)
	v, _ := openVault(t, cfg, "bob")
	f := from(t, far, "isp")
	f.Password, f.SkipAbove = "prompt", 1
	cfg.Fetch = []config.Fetch{f}
	asked := 0
	c := openCollector(t, cfg, v, CollectorOptions{Prompt: func(context.Context, string) (string, error) {
		asked++
		return password, nil
	}})
	for range 2 {
		plans := c.Plan(t.Context())
		if len(plans) != 1 || plans[0].Err != nil || len(plans[0].Decisions) != 1 || plans[0].Decisions[0].Action != collect.ActionSkip {
			t.Fatalf("%+v", plans)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if status, err := c.schedule.Options.Journal.Status(t.Context(), "isp"); err != nil || !status.Started.IsZero() || status.Remembered != 0 {
		t.Errorf("the journal knows of the dry run: %+v %v", status, err)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	f := config.Fetch{
		DeleteAfter: config.Duration(time.Hour), KeepNewest: 1, SkipAbove: 2, DeleteAbove: 3, Start: "7d", Filter: "true",
		LimitMessages: 4, LimitOctets: 5, Bandwidth: 6, Trace: true, Dedupe: true,
	}
	got := rules(&f)
	if got.Filter == nil {
		t.Error("no filter")
	}
	got.Filter = nil
	want := collect.Rules{
		Delete: true, DeleteAfter: time.Hour, KeepNewest: 1, SkipAbove: 2, DeleteAbove: 3, Start: collect.StartRecent,
		StartAge: 7 * 24 * time.Hour, MaxMessages: 4, MaxOctets: 5, Bandwidth: 6, Trace: true, Dedupe: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if r := rules(&config.Fetch{Keep: true, Start: "now"}); r.Delete || r.Start != collect.StartNow {
		t.Errorf("%+v", r)
	}
}
