package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/mailbox"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protocol  mailbox.Protocol
		url, user string
		cleartext bool
		want      mailbox.Address
		err       string
	}{
		{"pop3", "pop3s://al%40ice@POP.example.com", "", false, mailbox.Address{Host: "pop.example.com", Dial: "POP.example.com:995", TLS: true, User: "al@ice"}, ""},
		{"pop3", "pop3://alice@h/", "", false, mailbox.Address{Host: "h", Dial: "h:110", User: "alice"}, ""},
		{"pop3", "pop3://alice@[2001:db8::1]", "", true, mailbox.Address{Host: "2001:db8::1", Dial: "[2001:db8::1]:110", User: "alice"}, ""},
		{"pop3", "pop3s://alice@h:1995", "bob", false, mailbox.Address{Host: "h", Dial: "h:1995", TLS: true, User: "bob"}, ""},
		{"imap", "imaps://alice@h", "", false, mailbox.Address{Host: "h", Dial: "h:993", TLS: true, User: "alice"}, ""},
		{"imap", "imap://h/a%20b/c", "bob", false, mailbox.Address{Host: "h", Dial: "h:143", User: "bob", Folder: "a b/c"}, ""},
		{"imap", "imap://alice@h//a/", "", false, mailbox.Address{Host: "h", Dial: "h:143", User: "alice", Folder: "/a/"}, ""},

		{"pop3", "::", "", false, mailbox.Address{}, `POP3 address is not a URL: write pop3s://user@host`},
		{"imap", "imaps://alice:pw@h:x", "", false, mailbox.Address{}, `IMAP address is not a URL: write imaps://user@host`},
		{"pop3", "imap://alice@h", "", false, mailbox.Address{}, `POP3 address "imap://alice@h" begins with neither pop3s:// nor pop3://`},
		{"imap", "imap4://alice:pw@h", "", false, mailbox.Address{}, `IMAP address "imap4://alice:xxxxx@h" begins with neither imaps:// nor imap://`},
		{"pop3", "pop3s:alice:geheim@h", "", false, mailbox.Address{}, `POP3 address has no // behind its first colon: write pop3s://user@host`},
		{"imap", "alice:geheim@h", "", false, mailbox.Address{}, `IMAP address has no // behind its first colon: write imaps://user@host`},
		{"pop3", "h", "", false, mailbox.Address{}, `POP3 address "h" begins with neither pop3s:// nor pop3://`},
		{"imap", "imaps://alice@:993", "", false, mailbox.Address{}, `IMAP address "imaps://alice@:993" has no host`},
		{"pop3", "pop3s://alice@h/inbox", "", false, mailbox.Address{}, `POP3 address "pop3s://alice@h/inbox" has something behind the host`},
		{"pop3", "pop3s://alice@h?x", "", false, mailbox.Address{}, `POP3 address "pop3s://alice@h?x" has something behind the host`},
		{"imap", "imaps://alice@h/a#b", "", false, mailbox.Address{}, `IMAP address "imaps://alice@h/a#b" has something behind the folder`},
		{"imap", "imaps://alice@h", "", true, mailbox.Address{}, `IMAP address "imaps://alice@h" asks for TLS, and the option for none`},
		{"pop3", "pop3s://alice:pw@h", "bob", false, mailbox.Address{}, `POP3 address "pop3s://alice:xxxxx@h" has a password in it: keep it elsewhere, others can read it here`},
		{"imap", "imaps://h", "", false, mailbox.Address{}, `IMAP address "imaps://h" has no user`},
	} {
		got, err := mailbox.Parse(tt.protocol, tt.url, tt.user, tt.cleartext)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err || strings.Contains(text, "pw") {
			t.Errorf("%s: %+v, %q, want %+v, %q", tt.url, got, text, tt.want, tt.err)
		}
	}
}

func TestNoPassword(t *testing.T) {
	t.Parallel()
	a := mailbox.Address{Host: "pop.example.com", User: "alice"}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want collect.Class
	}{
		{"no file", t.Context(), fs.ErrNotExist, collect.Permanent},
		{"the keyring is locked", t.Context(), &collect.TemporaryError{Err: fs.ErrPermission}, collect.Temporary},
		{"known to need a person", t.Context(), &collect.PermanentError{Err: fs.ErrPermission}, collect.Permanent},
		{"given up", t.Context(), context.Canceled, collect.Cancelled},
		{"given up in the middle of it", cancelled, fs.ErrClosed, collect.Temporary},
	} {
		err := a.NoPassword(tt.ctx, tt.err)
		if collect.Classify(err) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v (%v), want %v", tt.name, err, collect.Classify(err), tt.want)
		}
	}
	if err := a.NoPassword(t.Context(), fs.ErrNotExist); err.Error() != "password for alice at pop.example.com: file does not exist" {
		t.Error(err)
	}
}

func ExampleParse() {
	a, err := mailbox.Parse(mailbox.IMAP, "imaps://bob%40example.net@imap.example.net/Lists/Go%20nuts", "", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.User, a.Dial, a.Folder)

	_, err = mailbox.Parse(mailbox.POP3, "pop3s://bob:secret@pop.example.net", "", false)
	fmt.Println(err)
	// Output:
	// bob@example.net imap.example.net:993 Lists/Go nuts
	// POP3 address "pop3s://bob:xxxxx@pop.example.net" has a password in it: keep it elsewhere, others can read it here
}
