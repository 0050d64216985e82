package office

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/config"
)

// A catch-all mailbox elsewhere is split among the accounts here by its envelope; what is for nobody goes to one of them.
func TestMultidrop(t *testing.T) {
	t.Parallel()
	far := start(t, settings(t))
	for _, to := range []string{"alice", "bob+lists", "eve", ""} {
		text := "Subject: for " + to + "\r\n\r\nHello."
		if to != "" {
			text = "X-Original-To: " + to + "@example.org\r\n" + text
		}
		deliver(t, far.addr("lmtp"), text)
	}
	cfg := settings(t)
	cfg.Domains = []string{"example.org"}
	v, _ := openVault(t, cfg)
	f := from(t, far, "isp")
	f.To, f.Envelope = []string{"multidrop:postmaster"}, "X-Original-To"
	cfg.Fetch = []config.Fetch{f}
	c := openCollector(t, cfg, v, CollectorOptions{})
	if r := c.Once(t.Context())[0]; r.Class() != collect.Permanent {
		t.Fatalf("without an account for the rest: %+v, want it to be permanent", r)
	}
	ids := addAccounts(t, v, "alice", "bob", "postmaster")
	if r := c.Once(t.Context())[0]; r.Class() != collect.OK || r.Fetched != 4 || r.Deleted != 4 {
		t.Fatalf("%+v", r)
	}
	const end = "\n\nHello.\n"
	mark := "X-Loop: isp@" + cfg.Hostname + "\n"
	want := map[string][]string{
		"alice":      {mark + "X-Original-To: alice@example.org\nSubject: for alice" + end},
		"bob":        {mark + "X-Original-To: bob+lists@example.org\nSubject: for bob+lists" + end},
		"postmaster": {mark + "X-Original-To: eve@example.org\nSubject: for eve" + end, mark + "Subject: for " + end},
	}
	for name, texts := range want {
		if d := cmp.Diff(texts, messages(t, v, ids[name])); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A destination at Gmail needs an [[oauth]], and somebody who has signed in.
func TestGmailDestination(t *testing.T) {
	t.Parallel()
	d, err := config.ParseDestination("gmail:bob@gmail.com INBOX 'From ISP'")
	if err != nil {
		t.Fatal(err)
	}
	b := builder{folder: t.TempDir(), oauth: (&config.Config{OAuth: []config.OAuth{{
		Name: "google", Provider: "gmail", ClientID: "x", Flow: "code", Store: "file",
	}}}).FindOAuth}
	f := &config.Fetch{Name: "isp", URL: "pop3s://bob@pop.example.net", GmailOAuth: "google"}
	s, _, err := b.sink(f, d)
	if err != nil || s.Name() != "gmail:bob@gmail.com" {
		t.Fatalf("%v %v", s, err)
	}
	one, err := s.Begin(t.Context(), collect.Letter{Key: "a"})
	if err == nil {
		err = one.Commit(t.Context())
	}
	if err == nil || collect.Classify(err) != collect.Permanent {
		t.Errorf("without a token: %v", err)
	}
	f.GmailOAuth = "nobody"
	if _, _, err := b.sink(f, d); err == nil {
		t.Error("without an [[oauth]]: no error")
	}
}
