package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/argv"
)

// maxFetch bounds the number of [[fetch]] sections; the file's size is the other bound.
const maxFetch = 1000

func (c *Collector) check(p *problems) {
	between(p, "collector.parallel", c.Parallel, 1, 1000, "")
	between(p, "collector.per_host", c.PerHost, 1, 100, "servers turn away who asks for more")
	between(p, "collector.alarm_after", c.AlarmAfter, Duration(time.Minute), Duration(365*24*time.Hour), "")
	if c.AlarmWebhook != "" {
		u, err := url.Parse(c.AlarmWebhook)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			p.add("collector.alarm_webhook", `is not an address, write one like "https://alerts.example.org/postamt"`)
		}
	}
}

func checkFetches(p *problems, all []Fetch) {
	if len(all) > maxFetch {
		p.add("fetch", "has %d accounts, at most %d", len(all), maxFetch)
		return
	}
	taken := make(map[string]bool)
	for i := range all {
		key := fmt.Sprintf("fetch[%d]", i)
		f := &all[i]
		switch lower := strings.ToLower(f.Name); {
		case f.Name == "":
			p.add(key, `has no name, give it one like name = "work"`)
		case len(f.Name) > 64 || strings.ContainsFunc(f.Name, func(r rune) bool { return !bareKey(r) && r != '.' }) || f.Name[0] == '-' || f.Name[0] == '.':
			p.add(key+".name", `%s cannot be used, write letters, digits, ".", "-" and "_", at most 64`, show(f.Name))
		case slices.Contains([]string{"status", "retry", "forget", "password", "login", "logout", "add", "probe", "import-state", "import-config", "help"}, lower):
			p.add(key+".name", "%s is a command of postamt fetch, take another name", show(f.Name))
		case taken[lower]:
			p.add(key+".name", "%s is taken already, each account has a name of its own", show(f.Name))
		default:
			taken[lower] = true
		}
		f.check(p, key)
	}
}

func (f *Fetch) check(p *problems, key string) {
	f.checkServer(p, key)
	f.checkTrust(p, key)
	f.checkDestinations(p, key)
	f.checkSame(p, key)
	f.checkSinkTrust(p, key)
	f.checkRules(p, key)
	f.checkMultidrop(p, key)
	f.checkScan(p, key)
	if f.OAuth == "" && !slices.Equal(f.Auth, []string{"EXTERNAL"}) || f.Password != "" {
		checkPassword(p, key, "password", f.Password)
	}
}

func (f *Fetch) checkServer(p *problems, key string) {
	oneOf(p, key+".tls", f.TLS, "required", "none")
	if f.URL == "" {
		p.add(key, `has no url, name the server: url = "pop3s://user@host"`)
		return
	}
	server, err := ParseServer(f.URL)
	if err != nil {
		p.add(key+".url", "%v", err)
		return
	}
	switch {
	case server.User == "" && f.User == "":
		p.add(key+".url", `has no user, write "pop3s://user@%s" or set user`, server.Host)
	case server.User != "" && f.User != "" && server.User != f.User:
		p.add(key+".user", "is not the user in url, remove one of them")
	case strings.ContainsAny(first(f.User, server.User), "\r\n\x00"):
		p.add(key+".url", "has a line end in the user, a user name is one line")
	}
	if f.TLS == "none" {
		if server.TLS {
			scheme, _, _ := strings.Cut(f.URL, ":")
			p.add(key+".tls", `"none" does not go with %s://, remove it or write %s://`, scheme, strings.TrimSuffix(scheme, "s"))
		} else if !loopback(server.Address()) {
			p.warn(key+".tls", `"none": everybody on the way to %s can read the password and the mail`, server.Host)
		}
	}
	f.checkProxy(p, key)
	if len(f.Auth) > 1 && slices.Contains(f.Auth, "APOP") {
		p.add(key+".auth", `"APOP" stands alone, remove the others`)
	}
	for i, m := range f.Auth {
		if m == "" || strings.ContainsFunc(m, func(r rune) bool { return !bareKey(r) }) {
			p.add(fmt.Sprintf("%s.auth[%d]", key, i), `%s is not a way to sign in, write "SCRAM-SHA-256", "PLAIN", "USER", "APOP" or another`, show(m))
		}
	}
}

func (f *Fetch) checkTrust(p *problems, key string) {
	oneOf(p, key+".trust", f.Trust, "authorities", "pins", "first-use")
	checkPins(p, key+".pins", f.Pins)
	if f.Trust == "pins" && len(f.Pins) == 0 {
		p.add(key+".trust", `"pins" needs pins, list at least one`)
	}
	if f.Trust == "first-use" && (len(f.Pins) > 0 || f.CA != "") {
		p.add(key+".trust", `"first-use" does not go with pins or ca, remove them`)
	}
	if (f.ClientCert == "") != (f.ClientKey == "") {
		p.add(key, "has one of client_cert and client_key, both are needed")
	}
	if f.TLS == "none" && (f.Trust != "authorities" || len(f.Pins) > 0 || f.CA != "" || f.ClientCert != "") {
		p.add(key+".tls", `"none" does not go with trust, pins, ca or client_cert: there is no certificate without TLS`)
	}
}

func (f *Fetch) checkDestinations(p *problems, key string) {
	if len(f.To) == 0 {
		p.add(key, `has no to, say where the mail goes: to = ["store:ACCOUNT"] or ["maildir:PATH"]`)
	}
	seen, smtpUser := make(map[string]bool), false
	for i, s := range f.To {
		at := fmt.Sprintf("%s.to[%d]", key, i)
		d, err := ParseDestination(s)
		switch {
		case err != nil:
			p.add(at, "%v", err)
		case seen[s]:
			p.add(at, "%s is listed twice, remove one", show(s))
		case d.Kind == ToLMTP && !strings.HasPrefix(d.Name, "unix:") && !loopback(d.Name):
			p.warn(at, "LMTP has no TLS: everybody on the way to %s can read the mail", d.Name)
		}
		seen[s] = true
		smtpUser = smtpUser || d.User != "" && (d.Kind == ToSMTP || d.Kind == ToSMTPS)
	}
	if f.SMTPPassword != "" {
		checkPassword(p, key, "smtp_password", f.SMTPPassword)
	} else if smtpUser {
		p.add(key, "has a smtp:// destination with a user, but no smtp_password")
	}
}

func (f *Fetch) checkRules(p *problems, key string) {
	day := Duration(24 * time.Hour)
	between(p, key+".timeout", f.Timeout, Duration(5*time.Second), Duration(time.Hour), "")
	between(p, key+".interval", f.Interval, Duration(10*time.Second), 30*day, "servers turn away who comes too often")
	between(p, key+".max_message", f.MaxMessage, 64<<10, 1<<40, "")
	between(p, key+".delete_after", f.DeleteAfter, 0, 3650*day, "")
	between(p, key+".keep_newest", f.KeepNewest, 0, 10_000_000, "")
	between(p, key+".limit_messages", f.LimitMessages, 0, 10_000_000, "")
	if f.Bandwidth != 0 {
		between(p, key+".bandwidth", f.Bandwidth, 1<<10, 1<<40, "")
	}
	if f.Keep && f.DeleteAfter > 0 {
		p.add(key+".delete_after", "does not go with keep = true, remove one of them")
	}
	if f.Keep && f.KeepNewest > 0 {
		p.add(key+".keep_newest", "does not go with keep = true, which keeps all: remove one of them")
	}
	if f.DeleteAbove > 0 && f.SkipAbove > f.DeleteAbove {
		p.add(key+".skip_above", "is more than delete_above, what is larger than that is gone by then")
	}
	if f.DeleteAbove > 0 {
		p.warn(key+".delete_above", "what is larger than %v is deleted on the server without ever being fetched", f.DeleteAbove)
	}
	if f.Start != "all" && f.Start != "now" {
		if d, err := ParseDuration(f.Start); err != nil || d == 0 {
			p.add(key+".start", `%s is not one of "all", "now" or a time like "7d"`, show(f.Start))
		}
	}
	if words, err := argv.Split(f.Filter); err != nil {
		p.add(key+".filter", "%s %v", show(f.Filter), err)
	} else if f.Filter != "" && len(words) == 0 {
		p.add(key+".filter", "names no program")
	}
}

// checkPassword refuses what is not a source of passwords. What stands there may be a password, so it is not shown.
func checkPassword(p *problems, key, name, v string) {
	const sources = `"file:PATH", "command:PROGRAM", "env:NAME", "credential:NAME", "keyring", "netrc" or "prompt"`
	if v == "" {
		p.add(key, "has no %s, say where it comes from: %s", name, sources)
		return
	}
	if v == "netrc" || v == "prompt" || v == "keyring" {
		return
	}
	kind, rest, ok := strings.Cut(v, ":")
	if !ok || !slices.Contains([]string{"file", "command", "env", "credential", "keyring", "netrc"}, kind) {
		p.add(key+"."+name, "does not say where the password comes from: %s. The password itself must not stand in this file", sources)
		return
	}
	if rest == "" {
		p.add(key+"."+name, "has nothing behind %q", kind+":")
		return
	}
	switch kind {
	case "command":
		if _, err := argv.Split(rest); err != nil {
			p.add(key+"."+name, "%v", err)
		}
	case "credential":
		if strings.Contains(rest, "/") || rest == ".." {
			p.add(key+"."+name, "is not the name of a credential, it has no folders")
		}
	case "keyring":
		if service, user, _ := strings.Cut(rest, "/"); service == "" || user == "" {
			p.add(key+"."+name, `is not an entry of the keyring, write "keyring:SERVICE/USER", or "keyring" alone`)
		}
	}
}
