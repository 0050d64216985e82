package movein

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// getmailConfig reads a getmailrc, which is one account: sections in brackets, "key = value", lines that go on begin with
// space.
func getmailConfig(text string) ([]Account, error) {
	type section map[string]string
	all := map[string]section{}
	var in section
	last := ""
	for n, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
			in, last = section{}, ""
			all[strings.ToLower(trimmed[1:len(trimmed)-1])] = in
		case in == nil:
			return nil, &FormatError{Getmail, n + 1, "a setting outside a section"}
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			in[last] += " " + trimmed
		default:
			i := strings.IndexAny(trimmed, "=:")
			if i < 0 {
				return nil, &FormatError{Getmail, n + 1, "wanted KEY = VALUE"}
			}
			last = strings.ToLower(strings.TrimSpace(trimmed[:i]))
			in[last] = strings.TrimSpace(trimmed[i+1:])
		}
	}
	r, options := all["retriever"], all["options"]
	if r["server"] == "" {
		return nil, &FormatError{Getmail, 1, "there is no [retriever] with a server"}
	}
	a := Account{Password: r["password"]}
	kind := strings.TrimPrefix(strings.TrimPrefix(r["type"], "Multidrop"), "Simple")
	scheme, ok := map[string]string{
		"POP3Retriever": "pop3", "POP3SSLRetriever": "pop3s", "IMAPRetriever": "imap", "IMAPSSLRetriever": "imaps",
	}[kind]
	if !ok {
		return nil, &FormatError{Getmail, 1, "the type " + strconv.Quote(r["type"]) + " cannot be taken over"}
	}
	a.server(scheme, r["server"], r["port"], r["username"])
	if scheme == "pop3" || scheme == "imap" {
		a.set("tls", "none")
	}
	if words := tuple(r["password_command"]); len(words) > 0 {
		a.Source = "command:" + strings.Join(words, " ")
	}
	if r["use_xoauth2"] != "" && strings.EqualFold(r["use_xoauth2"], "true") {
		a.lose("use_xoauth2: write an [[oauth]] and set oauth, see docs/oauth.md")
	}
	if r["ca_certs"] != "" {
		a.set("ca", r["ca_certs"])
	}
	if strings.HasPrefix(r["type"], "Multidrop") {
		a.lose("envelope_recipient %s: see docs/multidrop.md", r["envelope_recipient"])
	}
	a.getmailDestination(all["destination"])
	a.getmailOptions(options)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, "filter") {
			a.lose("[%s]: filter, rspamd and clamav take such a place", name)
		}
	}
	return []Account{a}, nil
}

func (a *Account) getmailDestination(d map[string]string) {
	switch d["type"] {
	case "Maildir":
		a.To = []string{"maildir:" + strings.TrimSuffix(d["path"], "/")}
	case "Mboxrd":
		a.To = []string{"mbox:" + d["path"]}
	case "MDA_external":
		a.To = []string{"pipe:" + strings.Join(append([]string{d["path"]}, tuple(d["arguments"])...), " ")}
	default:
		a.lose("the destination %s", d["type"])
	}
}

func (a *Account) getmailOptions(o map[string]string) {
	truth := func(key string) bool {
		v := strings.ToLower(o[key])
		return v == "true" || v == "yes" || v == "on" || v == "1"
	}
	days, _ := strconv.Atoi(o["delete_after"])
	switch {
	case truth("delete"):
	case days > 0:
		a.set("delete_after", strconv.Itoa(days)+"d")
	default:
		a.set("keep", true)
	}
	if n, err := strconv.Atoi(o["max_message_size"]); err == nil && n > 0 {
		a.set("skip_above", strconv.Itoa(n)+"B")
	}
	if n, err := strconv.Atoi(o["delete_bigger_than"]); err == nil && n > 0 {
		a.lose("delete_bigger_than %d: such mail is fetched, then kept or deleted as the rest", n)
	}
	if n, err := strconv.Atoi(o["max_messages_per_session"]); err == nil && n > 0 {
		a.Keys = append(a.Keys, number("limit_messages", n))
	}
	if n, err := strconv.Atoi(o["max_bytes_per_session"]); err == nil && n > 0 {
		a.set("limit_octets", strconv.Itoa(n)+"B")
	}
	if o["received"] != "" && !truth("received") {
		a.set("trace", false)
	}
	if o["read_all"] == "" || truth("read_all") {
		a.lose("read_all: what was fetched is never fetched again; postamt fetch forget makes it so on purpose")
	}
	if o["delivered_to"] == "" || truth("delivered_to") {
		a.lose("delivered_to: no Delivered-To field is added")
	}
}

// tuple reads what Python writes as ("a", "b").
func tuple(s string) (words []string) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "(") {
		return nil
	}
	for {
		i := strings.IndexAny(s, `"'`)
		if i < 0 {
			return words
		}
		quote := s[i]
		s = s[i+1:]
		j := strings.IndexByte(s, quote)
		if j < 0 {
			return words
		}
		word := s[:j]
		if strings.ContainsAny(word, " \t\"'") {
			word = "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'"
		}
		words, s = append(words, word), s[j+1:]
	}
}
