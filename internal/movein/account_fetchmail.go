package movein

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/postamt/postamt/internal/config"
)

// number is a key whose value is a number.
func number(key string, n int) config.FetchKey { return config.FetchKey{Key: key, Value: n} }

// A word of a .fetchmailrc.
type word struct {
	text   string
	line   int
	quoted bool
}

// fetchmailWords splits a .fetchmailrc: words at space and at ",", ":" and ";", strings in quotes, comments behind "#".
func fetchmailWords(text string) ([]word, error) {
	var words []word
	line := 1
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == ',' || c == ':' || c == ';' || c == '=':
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '"' || c == '\'':
			var b strings.Builder
			j := i + 1
			for ; j < len(text) && text[j] != c && text[j] != '\n'; j++ {
				if text[j] == '\\' && j+1 < len(text) && text[j+1] != '\n' {
					j++
				}
				b.WriteByte(text[j])
			}
			if j >= len(text) || text[j] != c {
				return nil, &FormatError{Fetchmail, line, "a string without its end"}
			}
			words = append(words, word{b.String(), line, true})
			i = j + 1
		default:
			j := i
			for j < len(text) && !strings.ContainsRune(" \t\r\n,:;=#\"'", rune(text[j])) {
				j++
			}
			words = append(words, word{text[i:j], line, false})
			i = j
		}
	}
	return words, nil
}

// noise are words that a .fetchmailrc may have anywhere.
var noise = map[string]bool{"and": true, "with": true, "has": true, "wants": true, "options": true, "here": true, "there": true}

// fetchmailTakes says how many arguments the words have that are not understood here, so that reading goes on behind them.
var fetchmailTakes = map[string]int{
	"logfile": 1, "idfile": 1, "pidfile": 1, "daemon": 1, "postmaster": 1, "properties": 1, "retaincr": 0,
	"via": 1, "interval": 1, "timeout": 1, "envelope": 1, "qvirtual": 1, "principal": 1, "esmtpname": 1, "esmtppassword": 1, "interface": 1, "monitor": 1,
	"plugin": 1, "plugout": 1, "smtphost": 1, "smtpaddress": 1, "smtpname": 1, "antispam": 1, "mda": 1, "bsmtp": 1,
	"preconnect": 1, "postconnect": 1, "folder": 1, "sslcert": 1, "sslkey": 1, "sslcertfile": 1, "sslcertpath": 1, "sslcommonname": 1,
	"sslfingerprint": 1, "sslproto": 1, "limit": 1, "warnings": 1, "batchlimit": 1, "fetchlimit": 1, "fetchsizelimit": 1, "fastuidl": 1, "expunge": 1,
	"tracepolls": 0, "badheader": 1, "fetchdomains": 1, "auth": 1, "authenticate": 1,
}

// A poll is a server with what is common to its users.
type poll struct {
	host, proto, port string
	user              string
	set               map[string]string
	flags             map[string]bool
	to                []string
	line              int
}

// fetchmailConfig reads a .fetchmailrc. It has no lines: everything belongs to the word before it.
func fetchmailConfig(text string) ([]Account, error) {
	words, err := fetchmailWords(text)
	if err != nil {
		return nil, err
	}
	var (
		accounts []Account
		defaults = poll{set: map[string]string{}, flags: map[string]bool{}}
		server   = &defaults // of poll
		user     *poll       // of user
		skipped  bool
		alone    bool // server has no user yet
	)
	flush := func() {
		if user != nil && !skipped {
			accounts = append(accounts, user.account())
		}
		user = nil
	}
	// complete ends a server. One without a user must not be lost without a word.
	complete := func() error {
		flush()
		if alone && !skipped {
			return fmt.Errorf("line %d: poll %s names no user, for which fetchmail takes your login name: write user and that name behind it", server.line, server.host)
		}
		return nil
	}
	next := func(i int) (string, bool) {
		if i+1 < len(words) {
			return words[i+1].text, true
		}
		return "", false
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		name := strings.ToLower(w.text)
		arg, has := next(i)
		now := server
		if user != nil {
			now = user
		}
		switch {
		case w.quoted:
			return nil, &FormatError{Fetchmail, w.line, "a string that belongs to nothing"}
		case noise[name]:
		case name == "no" && has && !words[i+1].quoted && fetchmailFlag("no"+strings.ToLower(arg)):
			words[i+1].text = "no" + arg // "no keep" is "nokeep"
		case name == "set":
			if !has {
				return nil, &FormatError{Fetchmail, w.line, "set without its setting"}
			}
			i += 1 + fetchmailTakes[strings.ToLower(arg)]
		case name == "defaults":
			if err := complete(); err != nil {
				return nil, err
			}
			server, alone = &defaults, false
		case name == "poll" || name == "server" || name == "skip":
			if err := complete(); err != nil {
				return nil, err
			}
			if !has {
				return nil, &FormatError{Fetchmail, w.line, name + " without a host"}
			}
			s := defaults.clone()
			s.host, s.line = arg, w.line
			server, skipped, alone = s, name == "skip", true
			i++
		case name == "user" || name == "username":
			if !has {
				return nil, &FormatError{Fetchmail, w.line, "user without a name"}
			}
			if user != nil {
				flush()
			}
			user, alone = server.clone(), false
			user.user = arg
			i++
		case name == "is" || name == "to":
			for i+1 < len(words) && (words[i+1].quoted || !fetchmailKeyword(words[i+1].text)) {
				i++
				now.to = append(now.to, words[i].text)
			}
		case name == "aka" || name == "localdomains":
			for i+1 < len(words) && (words[i+1].quoted || !fetchmailKeyword(words[i+1].text)) {
				i++
			}
			now.set[name] = "..."
		case name == "password" || name == "pass":
			now.set["password"] = arg
			i++
		case name == "proto" || name == "protocol":
			now.proto = strings.ToLower(arg)
			i++
		case name == "port" || name == "service":
			now.port = arg
			i++
		case fetchmailTakes[name] > 0:
			if !has {
				return nil, &FormatError{Fetchmail, w.line, name + " without its value"}
			}
			now.set[name] = arg
			i++
		case fetchmailFlag(name):
			now.flags[strings.TrimPrefix(name, "no")] = !strings.HasPrefix(name, "no")
		default:
			return nil, &FormatError{Fetchmail, w.line, "the word " + strconv.Quote(w.text) + " is not known"}
		}
	}
	if err := complete(); err != nil {
		return nil, err
	}
	return accounts, nil
}

var fetchmailFlags = []string{
	"keep", "fetchall", "flush", "ssl", "sslcertck", "rewrite", "stripcr", "forcecr", "pass8bits", "dropstatus", "dropdelivered",
	"mimedecode", "idle", "uidl", "dns", "envelope", "bouncemail", "spambounce", "softbounce", "invisible", "syslog", "showdots", "limitflush",
	"checkalias", "tracepolls", "retaincr",
}

func fetchmailFlag(name string) bool {
	for _, f := range fetchmailFlags {
		if name == f || name == "no"+f {
			return true
		}
	}
	return false
}

// fetchmailKeyword tells whether a word ends a list of names.
func fetchmailKeyword(s string) bool {
	s = strings.ToLower(s)
	_, takes := fetchmailTakes[s]
	switch s {
	case "set", "defaults", "poll", "server", "skip", "user", "username", "is", "to", "aka", "localdomains", "password", "pass", "proto", "protocol", "port", "service":
		return true
	}
	return takes || fetchmailFlag(s) || noise[s]
}

func (p *poll) clone() *poll {
	c := *p
	c.set, c.flags = map[string]string{}, map[string]bool{}
	for k, v := range p.set {
		c.set[k] = v
	}
	for k, v := range p.flags {
		c.flags[k] = v
	}
	c.to = append([]string(nil), p.to...)
	return &c
}

// account translates a user of a server.
func (p *poll) account() Account {
	a := Account{Password: p.set["password"]}
	host := p.host
	if p.set["via"] != "" {
		host = p.set["via"]
	}
	scheme := "pop3"
	if strings.HasPrefix(p.proto, "imap") {
		scheme = "imap"
	}
	if p.flags["ssl"] {
		scheme += "s"
	}
	if p.set["folder"] != "" && strings.HasPrefix(scheme, "imap") && p.set["folder"] != "INBOX" {
		a.lose("folder %s: put it behind the server in url", p.set["folder"])
	}
	a.server(scheme, host, p.port, p.user)
	if proto, ok := p.set["sslproto"]; ok && proto == "" && !p.flags["ssl"] {
		a.set("tls", "none")
	}
	if ck, ok := p.flags["sslcertck"]; ok && !ck {
		a.lose("nosslcertck: certificates are always checked; trust = \"first-use\" is for self-signed ones")
	}
	if p.set["sslcertfile"] != "" {
		a.set("ca", p.set["sslcertfile"])
	}
	if p.set["sslcert"] != "" && p.set["sslkey"] != "" {
		a.set("client_cert", p.set["sslcert"])
		a.set("client_key", p.set["sslkey"])
	}
	if p.flags["keep"] {
		a.set("keep", true)
	}
	a.fetchmailTo(p)
	if n, err := strconv.Atoi(p.set["fetchlimit"]); err == nil && n > 0 {
		a.Keys = append(a.Keys, number("limit_messages", n))
	}
	if n, err := strconv.Atoi(p.set["limit"]); err == nil && n > 0 {
		if p.flags["limitflush"] {
			a.set("delete_above", strconv.Itoa(n)+"B")
		} else {
			a.set("skip_above", strconv.Itoa(n)+"B")
		}
	}
	if p.proto == "apop" {
		a.set("auth", []string{"APOP"})
	}
	if auth := p.set["auth"]; auth == "any" || auth == "password" {
		delete(p.set, "auth") // as we do it: the best way that the server knows
	}
	for _, key := range []string{
		"preconnect", "postconnect", "plugin", "plugout", "interface", "interval", "sslfingerprint", "sslcommonname", "envelope", "qvirtual",
		"auth", "authenticate", "bsmtp", "smtpname", "smtpaddress", "antispam", "principal", "aka", "localdomains",
	} {
		if v := p.set[key]; v != "" {
			a.lose("%s %s", key, v)
		}
	}
	for _, flag := range []string{"mimedecode", "dropstatus", "dropdelivered", "forcecr", "stripcr"} {
		if p.flags[flag] {
			a.lose("%s: messages are delivered as they are", flag)
		}
	}
	if p.flags["fetchall"] && p.flags["keep"] {
		a.lose("fetchall: what was fetched is never fetched again")
	}
	return a
}

// fetchmailTo finds out where the mail goes.
func (a *Account) fetchmailTo(p *poll) {
	if mda := p.set["mda"]; mda != "" {
		if strings.Contains(mda, "%T") && len(p.to) == 1 {
			mda = strings.ReplaceAll(mda, "%T", p.to[0])
		}
		if strings.Contains(mda, "%") {
			a.lose("the %% in mda %s", mda)
		}
		a.To = []string{"pipe:" + mda}
		return
	}
	if len(p.to) != 1 {
		a.lose("multidrop, or nobody named with is or to: see docs/multidrop.md")
		return
	}
	host, port, _ := strings.Cut(or(p.set["smtphost"], "localhost"), "/")
	if host == "" {
		a.lose("smtphost %s: \"lmtp:unix:PATH ADDRESS\" is how such a destination is written", p.set["smtphost"])
		return
	}
	to := p.to[0]
	if !strings.Contains(to, "@") {
		to += "@localhost"
	}
	a.To = []string{"smtp://" + host + ":" + or(port, "25") + " " + to}
}
