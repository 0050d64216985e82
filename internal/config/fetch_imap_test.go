package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postamt/postamt/internal/config"
)

func TestIMAPAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]config.Server{
		"imaps://bob@imap.example.org":              {IMAP: true, TLS: true, User: "bob", Host: "imap.example.org", Port: "993", Folder: "INBOX"},
		"imap://bob%40x@imap.example.org:1143/":     {IMAP: true, User: "bob@x", Host: "imap.example.org", Port: "1143", Folder: "INBOX"},
		"imaps://b@[::1]/Entw%C3%BCrfe%20%25/alt":   {IMAP: true, TLS: true, User: "b", Host: "::1", Port: "993", Folder: "Entwürfe %/alt"},
		"IMAPS://bob@imap.example.org/INBOX.Work":   {IMAP: true, TLS: true, User: "bob", Host: "imap.example.org", Port: "993", Folder: "INBOX.Work"},
		"pop3s://bob@pop.example.org/":              {TLS: true, User: "bob", Host: "pop.example.org", Port: "995"},
		"imaps://bob@imap.example.org/%5BGmail%5D/": {IMAP: true, TLS: true, User: "bob", Host: "imap.example.org", Port: "993", Folder: "[Gmail]/"},
	} {
		got, err := config.ParseServer(url)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", url, err, diff)
		}
	}
	for to, want := range map[string]config.Destination{
		"imaps://bob@imap.example.org":                 {Kind: config.ToIMAPS, Name: "imap.example.org:993", User: "bob", Words: []string{"INBOX"}},
		"imap://bob@127.0.0.1:1143/Archiv/2026%20Jan.": {Kind: config.ToIMAP, Name: "127.0.0.1:1143", User: "bob", Words: []string{"Archiv/2026 Jan."}},
	} {
		got, err := config.ParseDestination(to)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", to, err, diff)
		}
	}
}
