package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// five is the common case.
const five = `[[fetch]]
name = "isp"
url = "pop3s://bob@pop.example.net"
password = "file:isp.password"
to = ["store:bob"]
`

func TestFiveLinesAreEnough(t *testing.T) {
	t.Parallel()
	l, err := Parse("p.toml", []byte(five))
	if err != nil || len(l.Warnings) > 0 {
		t.Fatalf("%v %v", err, l.Warnings)
	}
	want := DefaultFetch()
	want.Name, want.URL, want.Password, want.To = "isp", "pop3s://bob@pop.example.net", "file:isp.password", []string{"store:bob"}
	if diff := cmp.Diff([]Fetch{want}, l.Fetch); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, want := l.Fetch[0].Server(), (Server{TLS: true, User: "bob", Host: "pop.example.net", Port: "995"}); got != want {
		t.Errorf("server is %+v, want %+v", got, want)
	}
}

// Each mistake in a [[fetch]], with its line and mend.
func TestFetchMistakes(t *testing.T) {
	t.Parallel()
	const sources = `"file:PATH", "command:PROGRAM", "env:NAME", "credential:NAME", "keyring", "netrc" or "prompt"`
	for _, tt := range []struct{ name, replace, with, want string }{
		{"no name", `name = "isp"`, ``, `1: fetch[0]: has no name, give it one like name = "work"`},
		{"name", `"isp"`, `"a/b"`, `2: fetch[0].name: "a/b" cannot be used, write letters, digits, ".", "-" and "_", at most 64`},
		{"name taken", five, five + strings.ReplaceAll(five, "isp\"", "ISP\""), `7: fetch[1].name: "ISP" is taken already, each account has a name of its own`},
		{"name of a command", `"isp"`, `"status"`, `2: fetch[0].name: "status" is a command of postamt fetch, take another name`},
		{"APOP and more", `to =`, "auth = [\"APOP\", \"PLAIN\"]\nto =", `5: fetch[0].auth: "APOP" stands alone, remove the others`},
		{"no url", `url = "pop3s://bob@pop.example.net"`, ``, `1: fetch[0]: has no url, name the server: url = "pop3s://user@host"`},
		{"url", `pop3s://bob@`, `https://bob@`, `3: fetch[0].url: "...@pop.example.net" is not a server, write "pop3s://user@host" or "pop3://user@host"`},
		{"url with a folder", `pop3s://bob@pop.example.net`, `imaps://bob@h.example.org/x?y`, `3: fetch[0].url: "imaps://bob@h.example.org/x?y" has a "?" or "#" in it, write %3F or %23 if the folder is called so`},
		{"url with a folder that cannot be", `pop3s://bob@pop.example.net`, `imaps://bob@h.example.org/a%0D%0Ab`, `3: fetch[0].url: "imaps://bob@h.example.org/a%0D%0Ab" names a folder that cannot be: it is UTF-8 without control characters, at most 1000 octets`},
		{"url of IMAP with APOP", `pop3s://bob@pop.example.net"`, "imaps://bob@h.example.org\"\nauth = [\"APOP\"]", `4: fetch[0].auth: "APOP" is of POP3, an imap:// server has LOGIN and SASL mechanisms`},
		{"tls with imaps", `pop3s://bob@pop.example.net"`, "imaps://bob@h.example.org\"\ntls = \"none\"", `4: fetch[0].tls: "none" does not go with imaps://, remove it or write imap://`},
		{"url without user", `bob@pop`, `pop`, `3: fetch[0].url: has no user, write "pop3s://user@pop.example.net" or set user`},
		{"url with password", `bob@pop`, `bob:secret@pop`, `3: fetch[0].url: has a password in it, which must not stand in this file: write it to a file of its own and set password = "file:PATH"`},
		{"url that cannot be read has a password", `bob@pop.example.net`, `bob:secret@pop:x:y`, `3: fetch[0].url: "...@pop:x:y" is not a server, write "pop3s://user@host" or "pop3://user@host"`},
		{"url with port", `example.net"`, `example.net:0"`, `3: fetch[0].url: "pop3s://bob@pop.example.net:0" has no port that can be, ports are 1 to 65535`},
		{"url with path", `example.net"`, `example.net/inbox"`, `3: fetch[0].url: "pop3s://bob@pop.example.net/inbox" has something behind the host, write "pop3s://user@host" or "pop3://user@host"`},
		{"two users", `to =`, "user = \"carl\"\nto =", `5: fetch[0].user: is not the user in url, remove one of them`},
		{"no password", `password = "file:isp.password"`, ``, `1: fetch[0]: has no password, say where it comes from: ` + sources},
		{"password itself", `file:isp.password`, `hunter2`, `4: fetch[0].password: does not say where the password comes from: ` + sources + `. The password itself must not stand in this file`},
		{"password with a colon", `file:isp.password`, `hunter:2`, `4: fetch[0].password: does not say where the password comes from: ` + sources + `. The password itself must not stand in this file`},
		{"password from nowhere", `file:isp.password`, `command:`, `4: fetch[0].password: has nothing behind "command:"`},
		{"keyring", `file:isp.password`, `keyring:postamt`, `4: fetch[0].password: is not an entry of the keyring, write "keyring:SERVICE/USER", or "keyring" alone`},
		{"credential", `file:isp.password`, `credential:../x`, `4: fetch[0].password: is not the name of a credential, it has no folders`},
		{"no to", `to = ["store:bob"]`, ``, `1: fetch[0]: has no to, say where the mail goes: to = ["store:ACCOUNT"] or ["maildir:PATH"]`},
		{"to twice", `["store:bob"]`, `["store:bob", "store:bob"]`, `5: fetch[0].to[1]: "store:bob" is listed twice, remove one`},
		{"to of no kind", `"store:bob"`, `"bob"`, `5: fetch[0].to[0]: "bob" says nothing about its kind, write "store:ACCOUNT", "maildir:PATH", "mbox:PATH", "pipe:PROGRAM", "lmtp:HOST:PORT ADDRESS" or "smtp://HOST ADDRESS"`},
		{"to of another kind", `"store:bob"`, `"jmap:bob"`, `5: fetch[0].to[0]: "jmap:bob" is of an unknown kind, kinds are store, multidrop, maildir, mbox, pipe, lmtp, smtp, smtps, imap, imaps and gmail`},
		{"to smtp without recipient", `"store:bob"`, `"smtp://mx.example.org"`, `5: fetch[0].to[0]: "smtp://mx.example.org" names no recipient, put the address behind the server, like "bob@example.org"`},
		{"to smtp without password", `"store:bob"`, `"smtp://me@mx.example.org a@b"`, `1: fetch[0]: has a smtp:// destination with a user, but no smtp_password`},
		{"to smtp with password", `"store:bob"`, `"smtp://me:pw@mx.example.org a@b"`, `5: fetch[0].to[0]: "smtp://...@mx.example.org a@b" has a password in it, which must not stand in this file: set smtp_password = "file:PATH"`},
		{"to lmtp", `"store:bob"`, `"lmtp:localhost a@b"`, `5: fetch[0].to[0]: "lmtp:localhost a@b" names no server, write one like "lmtp:127.0.0.1:24 bob@example.org" or "lmtp:unix:/run/lmtp.sock bob@example.org"`},
		{"to imap without server", `"store:bob"`, `"imap:bob"`, `5: fetch[0].to[0]: "imap:bob" names no server, write one like "imap://bob@imap.example.org/Archive", with %20 for a space`},
		{"to imap without user", `"store:bob"`, `"imaps://h.example.org/Mail"`, `5: fetch[0].to[0]: "imaps://h.example.org/Mail" names no user, write one like "imaps://bob@imap.example.org"`},
		{"to imap with password", `"store:bob"`, `"imaps://me:pw@h.example.org"`, `5: fetch[0].to[0]: "imaps://...@h.example.org" has a password in it, which must not stand in this file: set imap_password = "file:PATH"`},
		{"to imap without password", `"store:bob"`, `"imaps://me@h.example.org"`, `1: fetch[0]: has an imap:// destination, but no imap_password`},
		{"to imap with both", `to = ["store:bob"]`, "imap_password = \"env:X\"\nimap_oauth = \"g\"\nto = [\"imaps://me@h.example.org\"]", `6: fetch[0].imap_oauth: does not go with imap_password, remove one of them`},
		{"to imap with tokens of nowhere", `to = ["store:bob"]`, "imap_oauth = \"g\"\nto = [\"imaps://me@h.example.org\"]", `5: fetch[0].imap_oauth: there is no [[oauth]] with the name "g", write one`},
		{"tokens for no imap", `to =`, "imap_oauth = \"g\"\nto =", `5: fetch[0].imap_oauth: is for an imap:// destination, and to has none`},
		{"to imap folder", `"store:bob"`, `"imaps://me@h.example.org/a%0Ab"`, `5: fetch[0].to[0]: "imaps://...@h.example.org/a%0Ab" names a folder that cannot be: it is UTF-8 without control characters, at most 1000 octets`},
		{"to gmail", `"store:bob"`, `"gmail:INBOX"`, `5: fetch[0].to[0]: "gmail:INBOX" names no mailbox, write one like "gmail:bob@gmail.com" or "gmail:bob@gmail.com INBOX UNREAD 'From work'"`},
		{"to gmail without tokens", `"store:bob"`, `"gmail:bob@gmail.com"`, `1: fetch[0]: has a gmail: destination, but no gmail_oauth: name the [[oauth]] for it`},
		{"to gmail with tokens of nowhere", `to = ["store:bob"]`, "gmail_oauth = \"g\"\nto = [\"gmail:bob@gmail.com\"]", `5: fetch[0].gmail_oauth: there is no [[oauth]] with the name "g", write one`},
		{"to gmail twice", `to = ["store:bob"]`, "gmail_oauth = \"g\"\nto = [\"gmail:bob@gmail.com\", \"gmail:eve@gmail.com\"]", `6: fetch[0].to: has two gmail: destinations, but only one sign-in at Google: put all labels into one, or make a [[fetch]] for each`},
		{"tokens for no gmail", `to =`, "gmail_oauth = \"g\"\nto =", `5: fetch[0].gmail_oauth: is for a gmail: destination, and to has none`},
		{"multidrop without envelope", `"store:bob"`, `"multidrop:bob"`, `1: fetch[0]: has a multidrop: destination, but no envelope: name the field with the recipients, like envelope = "X-Original-To"`},
		{"multidrop by To", `to = ["store:bob"]`, "envelope = \"to\"\nto = [\"multidrop:bob\"]", `5: fetch[0].envelope: "to" is not the envelope, mail from lists names no reader there: take the field that the provider's server writes`},
		{"multidrop by no field", `to = ["store:bob"]`, "envelope = \"X-To:\"\nto = [\"multidrop:bob\"]", `5: fetch[0].envelope: "X-To:" is not the name of a field, write one like "X-Original-To" without its colon, or "*ENV"`},
		{"envelope for nobody", `to =`, "envelope = \"X-To\"\nto =", `1: fetch[0]: has an envelope, but no multidrop: destination to use it`},
		{"clamav", `to =`, "clamav = \"yes\"\nto =", `5: fetch[0].clamav: is not where clamd listens, write "unix:/run/clamav/clamd.ctl" or "127.0.0.1:3310"`},
		{"rspamd", `to =`, "rspamd = \"127.0.0.1:11333\"\nto =", `5: fetch[0].rspamd: is not where rspamd listens, write "http://127.0.0.1:11333" or "unix:PATH"`},
		{"on_virus", `to =`, "on_virus = \"burn\"\nto =", `5: fetch[0].on_virus: "burn" is not one of "tag", "quarantine", "leave" or "drop"`},
		{"no quarantine", `to =`, "clamav = \"127.0.0.1:3310\"\non_virus = \"quarantine\"\nto =", `1: fetch[0]: has no quarantine, say where such mail goes: quarantine = ["maildir:PATH"]`},
		{"idle quarantine", `to =`, "quarantine = [\"store:x\"]\nto =", `5: fetch[0].quarantine: has nothing to go there, set on_virus or on_spam to "quarantine"`},
		{"quarantine elsewhere", `to =`, "clamav = \"127.0.0.1:3310\"\non_virus = \"quarantine\"\nquarantine = [\"lmtp:127.0.0.1:24 a@b\"]\nto =", `7: fetch[0].quarantine[0]: "lmtp:127.0.0.1:24 a@b" cannot be a quarantine, take store, maildir or mbox`},
		{"quarantine at home", `to =`, "clamav = \"127.0.0.1:3310\"\non_virus = \"quarantine\"\nquarantine = [\"store:bob\"]\nto =", `7: fetch[0].quarantine[0]: "store:bob" is listed twice, remove one`},
		{"to one program twice", `"store:bob"`, `"pipe:/usr/bin/sort-in home", "maildir:Mail", "pipe:/usr/bin/sort-in work"`, `5: fetch[0].to[2]: "/usr/bin/sort-in" is the program of two destinations, which could not be told apart: give one of them a link or a script of its own`},
		{"to pipe", `"store:bob"`, `"pipe:'x"`, `5: fetch[0].to[0]: "pipe:'x" has a ' without its end`},
		{"tls with pop3s", `to =`, "tls = \"none\"\nto =", `5: fetch[0].tls: "none" does not go with pop3s://, remove it or write pop3://`},
		{"tls", `to =`, "tls = \"try\"\nto =", `5: fetch[0].tls: "try" is not one of "required" or "none"`},
		{"trust", `to =`, "trust = \"pins\"\nto =", `5: fetch[0].trust: "pins" needs pins, list at least one`},
		{"pin", `to =`, "pins = [\"sha256/AAAA\"]\nto =", `5: fetch[0].pins[0]: "sha256/AAAA" is not a pin, it is "sha256/" and the base64 of 32 octets`},
		{"pin of smtp", `["store:bob"]`, "[\"smtp://mx.example.org a@b\"]\nsmtp_pins = [\"x\"]", `6: fetch[0].smtp_pins[0]: "x" is not a pin, it is "sha256/" and the base64 of 32 octets`},
		{"ca of no smtp", `to =`, "smtp_ca = \"x\"\nto =", `5: fetch[0].smtp_ca: has no smtp:// or smtps:// destination that it is for, remove it`},
		{"ca and pin of smtp", `to =`, "smtp_ca = \"x\"\nsmtp_pins = [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\nto =", `5: fetch[0].smtp_ca: does not go with smtp_pins, of which one is enough: remove one of them`},
		{"pin of imap", `["store:bob"]`, "[\"imap://me@imap.example.org\"]\nimap_password = \"env:X\"\nimap_pins = [\"x\"]", `7: fetch[0].imap_pins[0]: "x" is not a pin, it is "sha256/" and the base64 of 32 octets`},
		{"pins of no imap", `to =`, "imap_pins = [\"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\nto =", `5: fetch[0].imap_pins: has no imap:// or imaps:// destination that it is for, remove it`},
		{"client certificate", `to =`, "client_cert = \"a\"\nto =", `1: fetch[0]: has one of client_cert and client_key, both are needed`},
		{"proxy", `to =`, "proxy = \"tor\"\nto =", `5: fetch[0].proxy: is not a proxy, write "socks5://HOST:PORT" or "http://HOST:PORT", with USER@ before HOST if it wants a sign-in`},
		{"proxy with a password", `to =`, "proxy = \"http://me:pw@[::1]:1\"\nto =", `5: fetch[0].proxy: has a password in it, which must not stand in this file: set proxy_password = "file:PATH"`},
		{"proxy without its password", `to =`, "proxy = \"http://me@[::1]:1\"\nto =", `5: fetch[0].proxy: has a user, but there is no proxy_password`},
		{"proxy without its user", `to =`, "proxy = \"http://[::1]:1\"\nproxy_password = \"env:X\"\nto =", `6: fetch[0].proxy_password: has no user in proxy that it is for, write "http://USER@[::1]:1"`},
		{"password for no proxy", `to =`, "proxy_password = \"env:X\"\nto =", `5: fetch[0].proxy_password: has no proxy that it is for, set proxy or remove it`},
		{"password of a proxy itself", `to =`, "proxy = \"http://me@[::1]:1\"\nproxy_password = \"hunter2\"\nto =", `6: fetch[0].proxy_password: does not say where the password comes from: ` + sources + `. The password itself must not stand in this file`},
		{"keep and delete", `to =`, "keep = true\ndelete_after = \"14d\"\nto =", `6: fetch[0].delete_after: does not go with keep = true, remove one of them`},
		{"keep and newest", `to =`, "keep = true\nkeep_newest = 3\nto =", `6: fetch[0].keep_newest: does not go with keep = true, which keeps all: remove one of them`},
		{"start", `to =`, "start = \"yesterday\"\nto =", `5: fetch[0].start: "yesterday" is not one of "all", "now" or a time like "7d"`},
		{"interval", `to =`, "interval = \"1s\"\nto =", `5: fetch[0].interval: 1s is too small, at least 10s: servers turn away who comes too often`},
		{"bandwidth", `to =`, "bandwidth = 10\nto =", `5: fetch[0].bandwidth: 10 is too small, at least 1KiB`},
		{"unknown key", `to =`, "delete_aftr = \"1d\"\nto =", `5: fetch[0].delete_aftr: unknown key, did you mean delete_after?`},
		{"one section", `[[fetch]]`, "[fetch]", `1: fetch: wants sections, each written [[fetch]] on a line of its own, but has a section`},
		{"webhook", five, "[collector]\nalarm_webhook = \"alerts\"", `2: collector.alarm_webhook: is not an address, write one like "https://alerts.example.org/postamt"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(five, tt.replace) {
				t.Fatalf("%q is not there", tt.replace)
			}
			_, err := Parse("p", []byte(strings.Replace(five, tt.replace, tt.with, 1)))
			if diff := cmp.Diff("p:"+tt.want, text(err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, secret := range []string{"hunter", "secret", "me:pw"} {
				if strings.Contains(text(err), secret) {
					t.Errorf("what may be a password is shown: %v", err)
				}
			}
		})
	}
}

func TestFetchWarnings(t *testing.T) {
	t.Parallel()
	l, err := Parse("p", []byte(strings.Replace(five, "pop3s:", "pop3:", 1)+"tls = \"none\"\ndelete_above = \"10MB\"\nproxy=\"socks5://me@proxy.example.net:1080\"\nproxy_password=\"env:X\"\n"+
		strings.NewReplacer("store:bob", "lmtp:mx.example.org:24 a@b", `"isp"`, `"two"`).Replace(five)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range l.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		`p:6: fetch[0].tls: "none": everybody on the way to pop.example.net can read the password and the mail`,
		`p:7: fetch[0].delete_above: what is larger than 10MB is deleted on the server without ever being fetched`,
		`p:8: fetch[0].proxy: everybody on the way to proxy.example.net:1080 can read the password for it: proxies are asked in the clear`,
		`p:14: fetch[1].to[0]: LMTP has no TLS: everybody on the way to mx.example.org:24 can read the mail`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if l, err := Parse("p", []byte(strings.Replace(five, "pop3s://bob@pop.example.net", "pop3://bob@127.0.0.1", 1)+"tls = \"none\"")); err != nil || len(l.Warnings) > 0 {
		t.Errorf("cleartext to this very machine: %v %v", err, l.Warnings)
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Server{
		"pop3s://bob@mail.example.org":         {TLS: true, User: "bob", Host: "mail.example.org", Port: "995"},
		"pop3://bob@mail.example.org:1110":     {User: "bob", Host: "mail.example.org", Port: "1110"},
		"pop3s://bob@example.org@[::1]:1995":   {TLS: true, User: "bob@example.org", Host: "::1", Port: "1995"},
		"pop3s://b%20o%3Ab@192.0.2.1":          {TLS: true, User: "b o:b", Host: "192.0.2.1", Port: "995"},
		"POPS://bob%40example.org@pop.example": {TLS: true, User: "bob@example.org", Host: "pop.example", Port: "995"},
		"pop3://pop.example/":                  {Host: "pop.example", Port: "110"},
	} {
		if got, err := ParseServer(in); err != nil || got != want {
			t.Errorf("ParseServer(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	if got := (Server{Host: "::1", Port: "995"}).Address(); got != "[::1]:995" {
		t.Errorf("Address: %q", got)
	}
}

func TestParseDestination(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Destination{
		`pipe:x a\ b "c\"d\e" 'f\g'`:              {Kind: "pipe", Words: []string{"x", "a b", `c"d\e`, `f\g`}},
		"store:bob@example.org":                   {Kind: "store", Name: "bob@example.org"},
		"maildir:/home/bob/My Mail":               {Kind: "maildir", Name: "/home/bob/My Mail"},
		"mbox:/var/mail/bob":                      {Kind: "mbox", Name: "/var/mail/bob"},
		`pipe:/bin/procmail -a "x y" '' -d`:       {Kind: "pipe", Words: []string{"/bin/procmail", "-a", "x y", "", "-d"}},
		"lmtp:unix:/run/lmtp.sock a@b c@d":        {Kind: "lmtp", Name: "unix:/run/lmtp.sock", Words: []string{"a@b", "c@d"}},
		"lmtp:[::1]:24 a@b":                       {Kind: "lmtp", Name: "[::1]:24", Words: []string{"a@b"}},
		"smtp://mx.example.org a@b":               {Kind: "smtp", Name: "mx.example.org:587", Words: []string{"a@b"}},
		"smtps://me@example.org@mx.example.org a": {Kind: "smtps", Name: "mx.example.org:465", User: "me@example.org", Words: []string{"a"}},
		"smtp://127.0.0.1:25 a@b":                 {Kind: "smtp", Name: "127.0.0.1:25", Words: []string{"a@b"}},
	} {
		got, err := ParseDestination(in)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ParseDestination(%q): %v (-want +got)\n%s", in, err, diff)
		}
	}
}

func TestFirstRun(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]struct {
		all bool
		age Duration
	}{"all": {all: true}, "now": {}, "7d": {age: Duration(7 * 24 * time.Hour)}} {
		if all, age := (&Fetch{Start: start}).FirstRun(); all != want.all || age != want.age {
			t.Errorf("%s: %v %v", start, all, age)
		}
	}
}

func TestFetchPaths(t *testing.T) {
	t.Parallel()
	f := Fetch{
		Name: "a", To: []string{"maildir:~/Mail dir", "mbox:in.mbox", "store:bob", "pipe:~/bin/x"}, CA: "ca.pem",
		Password: "file:~/.pw", SMTPPassword: "netrc:/etc/netrc",
	}
	given := f.To
	if err := f.resolve("/etc/postamt", "/home/bob"); err != nil {
		t.Fatal(err)
	}
	want := Fetch{
		Name: "a", To: []string{"maildir:/home/bob/Mail dir", "mbox:/etc/postamt/in.mbox", "store:bob", "pipe:~/bin/x"}, CA: "/etc/postamt/ca.pem",
		Password: "file:/home/bob/.pw", SMTPPassword: "netrc:/etc/netrc",
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if given[0] != "maildir:~/Mail dir" {
		t.Error("the configuration that was given is changed")
	}
	f = Fetch{Name: "a", To: []string{"maildir:~/Maildir"}}
	if err := f.resolve("/", ""); text(err) != `fetch a: to: there is no home folder for "~/Maildir", write the whole path` {
		t.Errorf("%v", err)
	}
}

func TestFetchIsShown(t *testing.T) {
	t.Parallel()
	l, err := Parse("p", []byte(five+"keep = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.Show(&b); err != nil {
		t.Fatal(err)
	}
	if want := "\n\n[[fetch]]\nname = \"isp\"\nurl = \"pop3s://bob@pop.example.net\"\nuser = \"\"\n"; !strings.Contains(b.String(), want) {
		t.Errorf("%q is not in\n%s", want, b.String())
	}
	if want := "\nkeep = true # default: false\n"; !strings.Contains(b.String(), want) {
		t.Errorf("%q is not in\n%s", want, b.String())
	}
	again, err := Parse("shown", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.Fetch, again.Fetch); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
