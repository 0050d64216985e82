package movein

import (
	"fmt"
	"slices"
	"strings"
)

// mpopConfig reads an .mpoprc: a command and its argument on each line, in sections that begin with "defaults" or with
// "account NAME", which may take over what stands in others.
func mpopConfig(text string) ([]Account, error) {
	type section struct {
		name string
		set  map[string]string
	}
	var all []section
	defaults := map[string]string{}
	known := map[string]map[string]string{}
	current := defaults
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		command, argument, _ := strings.Cut(line, " ")
		if tab, rest, ok := strings.Cut(command, "\t"); ok {
			command, argument = tab, rest+" "+argument
		}
		argument = unquote(strings.TrimSpace(argument))
		switch command {
		case "defaults":
			defaults = map[string]string{}
			current = defaults
		case "account":
			name, from, _ := strings.Cut(argument, ":")
			name = strings.TrimSpace(name)
			current = map[string]string{}
			for k, v := range defaults {
				current[k] = v
			}
			for _, other := range strings.Split(from, ",") {
				if other = strings.TrimSpace(other); other == "" {
					continue
				}
				if known[other] == nil {
					return nil, &FormatError{Mpop, n + 1, fmt.Sprintf("there is no account %q above", other)}
				}
				for k, v := range known[other] {
					current[k] = v
				}
			}
			known[name] = current
			all = append(all, section{name, current})
		default:
			if argument == "" && slices.Contains(mpopSwitches, command) {
				argument = "on"
			}
			current[command] = argument
		}
	}
	if len(all) == 0 && len(defaults) > 0 {
		all = append(all, section{"default", defaults})
	}
	var accounts []Account
	for _, s := range all {
		if s.set["host"] == "" {
			continue // "account default : NAME" and what others take over
		}
		if slices.ContainsFunc(accounts, func(a Account) bool {
			return s.name == "default" && a.URL != "" && a.User == s.set["user"] && strings.Contains(a.URL, s.set["host"])
		}) {
			continue // another name for one above
		}
		accounts = append(accounts, mpopAccount(s.name, s.set))
	}
	return accounts, nil
}

// mpopSwitches are on without an argument, too.
var mpopSwitches = []string{"tls", "tls_starttls", "tls_certcheck", "keep", "only_new", "received_header", "pipelining", "auth"}

func mpopAccount(name string, set map[string]string) Account {
	a := Account{Name: accountName(name), Password: set["password"], State: set["uidls_file"]}
	if name == "default" {
		a.Name = ""
	}
	on := func(key string) bool { return set[key] == "on" || set[key] == "" && key == "tls_starttls" }
	scheme := "pop3"
	if on("tls") && !on("tls_starttls") {
		scheme = "pop3s"
	}
	a.server(scheme, set["host"], set["port"], set["user"])
	if !on("tls") {
		a.set("tls", "none")
	}
	if command := set["passwordeval"]; command != "" {
		a.shell(command)
	}
	if set["tls_trust_file"] != "" && set["tls_trust_file"] != "system" {
		a.set("ca", set["tls_trust_file"])
	}
	if set["tls_fingerprint"] != "" {
		a.lose("tls_fingerprint is of the certificate, pins are of its key: see postamt fetch probe")
	}
	if set["tls_certcheck"] == "off" {
		a.lose("tls_certcheck off: certificates are always checked; trust = \"first-use\" is for self-signed ones")
	}
	if set["keep"] == "on" {
		a.set("keep", true)
	}
	switch kind, where, _ := strings.Cut(set["delivery"], " "); kind {
	case "maildir", "mbox":
		a.To = []string{kind + ":" + strings.TrimSpace(where)}
	case "mda":
		a.To = []string{"pipe:" + strings.TrimSpace(where)}
		if strings.Contains(where, "%F") {
			a.lose("%%F in the program's arguments is the sender, which a program finds in the environment as SENDER")
		}
	default:
		a.lose("the delivery %q", set["delivery"])
	}
	if set["received_header"] == "off" {
		a.set("trace", false)
	}
	if set["proxy_host"] != "" {
		a.set("proxy", "socks5://"+set["proxy_host"]+":"+or(set["proxy_port"], "1080"))
	}
	if set["killsize"] != "" {
		a.set("delete_above", set["killsize"]+"B")
	}
	if set["skipsize"] != "" {
		a.set("skip_above", set["skipsize"]+"B")
	}
	if set["only_new"] == "off" {
		a.lose("only_new off: what was fetched is never fetched again")
	}
	for _, key := range []string{"eval", "filter", "timeout", "auth", "tls_crl_file", "tls_priorities", "source_ip", "socket", "tls_key_file"} {
		if set[key] != "" && set[key] != "on" {
			a.lose("%s %s", key, set[key])
		}
	}
	return a
}

// shell notes a command that a shell would run to get the password.
func (a *Account) shell(command string) {
	if strings.ContainsAny(command, "|&;<>()$`*?[#~") {
		a.Source = "command:/bin/sh -c '" + strings.ReplaceAll(command, "'", `'"'"'`) + "'"
		return
	}
	a.Source = "command:" + command
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
