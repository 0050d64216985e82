package office

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
)

// One letter comes into every kind of destination at once, as the configuration writes them.
func TestEveryDestination(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	deliver(t, far.addr("lmtp"), "Subject: one\r\n\r\nHello.")
	next := start(t, settings(t)) // takes it in over LMTP
	cfg := settings(t)
	v, ids := openVault(t, cfg, "bob")
	dir := t.TempDir()
	f := from(t, far, "isp")
	f.To = append(
		f.To, "maildir:"+dir+"/Mail dir", "mbox:"+dir+"/mbox", `pipe:sh -c "cat >'`+dir+`/piped file'"`,
		"lmtp:"+next.addr("lmtp")+" bob@example.com",
	)
	cfg.Fetch = []config.Fetch{f}
	if wrong, _ := (&config.Config{Fetch: cfg.Fetch}).Check(); strings.Contains(strings.Join(texts(wrong), "\n"), ".to") {
		t.Errorf("the configuration is refused: %v", texts(wrong))
	}
	c := openCollector(t, cfg, v, CollectorOptions{})
	results := c.Once(t.Context())
	if r := results[0]; r.Class() != collect.OK || r.Fetched != 1 || r.Deleted != 1 {
		t.Fatalf("%+v", r)
	}
	const want = "Subject: one\n\nHello.\n"
	read := func(pattern string) string {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) != 1 {
			t.Errorf("%s: %v %v", pattern, names, err)
			return ""
		}
		text, err := os.ReadFile(names[0])
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	there, err := next.Vault().Accounts.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	_, mbox, _ := strings.Cut(read("mbox"), "\n") // behind the "From " line
	for place, got := range map[string]string{
		"store":   strings.Join(messages(t, v, ids["bob"]), "|"),
		"maildir": read("Mail dir/new/*"),
		"mbox":    strings.TrimSuffix(mbox, "\n"), // an empty line ends a message
		"pipe":    read("piped file"),
		"lmtp":    strings.Join(messages(t, next.Vault(), there.ID), "|"),
	} {
		if got != want {
			t.Errorf("%s: got %q, want %q", place, got, want)
		}
	}
}

func texts(ps []config.Problem) (all []string) {
	for _, p := range ps {
		all = append(all, p.String())
	}
	return all
}

// How a connection to another mail server is protected follows from how the destination is written.
func TestSMTPDestinations(t *testing.T) {
	t.Parallel()
	b := builder{hostname: "home.example.com"}
	f := &config.Fetch{Name: "isp", SMTPPassword: "env:NONE"}
	for to, name := range map[string]string{
		"smtp://mx.example.org a@b c@d":    "smtp:mx.example.org:587:a@b,c@d",
		"smtps://me@mx.example.org a@b":    "smtp:mx.example.org:465:a@b",
		"smtp://127.0.0.1:25 a@b":          "smtp:127.0.0.1:25:a@b",
		"lmtp:unix:/run/lmtp.sock bob@a.b": "lmtp:/run/lmtp.sock:bob@a.b",
	} {
		d, err := config.ParseDestination(to)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := b.sink(f, d)
		if err != nil || s.Name() != name {
			t.Errorf("%s: %v %v", to, s, err)
		}
	}
}
