package imapsource_test

import (
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect/imapsource"
	"github.com/postamt/postamt/internal/imapclient"
)

// What cannot be fetched from is refused before anything is connected, and no error shows a password.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		opt  imapsource.Options
		want string
	}{
		{imapsource.Options{URL: "pop3://alice@h"}, "neither imaps:// nor imap://"},
		{imapsource.Options{URL: "imaps://alice:pw@h"}, "password in it"},
		{imapsource.Options{URL: "imaps://alice@h", Cleartext: true}, "asks for TLS"},
		{imapsource.Options{URL: "imaps://alice@h/a%0D%0AP3%20LOGOUT"}, "without control characters"},
		{imapsource.Options{URL: "imaps://alice@h/a%00"}, "without control characters"},
		{imapsource.Options{URL: "imaps://alice@h/a%7F"}, "without control characters"},
		{imapsource.Options{URL: "imaps://alice@h/%C2%85"}, "without control characters"},
		{imapsource.Options{URL: "imaps://alice@h/%FF"}, "UTF-8"},
		{imapsource.Options{URL: "imaps://alice@h/" + strings.Repeat("n", 1001)}, "up to 1000 octets"},
	} {
		test.opt.Password = secret
		_, err := imapsource.New(test.opt)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "pw") || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%s: %v, want %q", test.opt.URL, err, test.want)
		}
	}
	if _, err := imapsource.New(imapsource.Options{URL: "imaps://alice@h"}); err == nil {
		t.Error("no password source is no error")
	}
}

func TestHostUserFolder(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][3]string{
		"imaps://al%40ice@IMAP.example.com:1993":         {"imap.example.com", "al@ice", "INBOX"},
		"imap://alice@imap.example.com/":                 {"imap.example.com", "alice", "INBOX"},
		"imaps://alice@[2001:db8::1]/Entw%C3%BCrfe/2026": {"2001:db8::1", "alice", "Entw\u00fcrfe/2026"},
	} {
		s, err := imapsource.New(imapsource.Options{URL: url, Credentials: imapclient.Credentials{Password: secret}})
		if err != nil || [3]string{s.Host(), s.User(), s.Folder()} != want {
			t.Errorf("%s: %v %v", url, s, err)
		}
	}
}
