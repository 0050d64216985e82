package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/probe"
	"github.com/postamt/postamt/internal/terminal"
)

// recommend returns a [[fetch]] for the best port, or nothing.
func recommend(r *probe.Report, ca string) string {
	best := r.Best()
	if best == nil {
		return ""
	}
	user := "USER"
	if r.Mailbox != nil {
		user = r.Mailbox.User
	}
	keys := []config.FetchKey{
		{Key: "name", Value: fetchName(r.Host)},
		{Key: "url", Value: serverURL("pop3", r.Host, best.Port, best.Security == "tls")},
		{Key: "user", Value: user},
		{Key: "password", Value: "file:/etc/postamt/" + fetchName(r.Host) + ".password"},
		{Key: "to", Value: []string{"store:ACCOUNT"}},
	}
	switch {
	case !best.TLS.Trusted:
		keys = append(keys,
			config.FetchKey{Key: "trust", Value: "pins", Note: best.TLS.Problem},
			config.FetchKey{Key: "pins", Value: []string{best.TLS.Pin}, Note: "ask whoever runs the server whether this is its key"})
	case ca != "":
		keys = append(keys, config.FetchKey{Key: "ca", Value: ca})
	}
	return config.FetchText(mailboxNotes(r), keys)
}

// mailboxNotes are comments about what a server wants.
func mailboxNotes(r *probe.Report) []string {
	var notes []string
	for _, q := range r.Quirks {
		switch q.ID {
		case "login-delay", "expire", "expire-0", "no-uidl", "no-top", "uid-odd", "size-wrong":
			notes = append(notes, "The server "+q.Text+".")
		}
	}
	if m := r.Mailbox; m != nil && m.LoginDelay > 0 {
		notes = append(notes, fmt.Sprintf("LOGIN-DELAY is %v.", time.Duration(m.LoginDelay)*time.Second))
	}
	if m := r.Mailbox; m != nil && m.ExpireDays != nil && *m.ExpireDays > 0 {
		notes = append(notes, fmt.Sprintf("EXPIRE is %s.", count(*m.ExpireDays, "day")))
	}
	return notes
}

// serverURL returns a server as url names it.
func serverURL(protocol, host string, port int, tls bool) string {
	scheme := protocol
	if tls {
		scheme += "s"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == map[string]int{"pop3s": 995, "pop3": 110, "imaps": 993, "imap": 143}[scheme] {
		return scheme + "://" + host
	}
	return fmt.Sprintf("%s://%s:%d", scheme, host, port)
}

// fetchName makes a name of a host or a domain.
func fetchName(host string) string {
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, host)
	name = strings.TrimLeft(name[:min(len(name), 64)], ".-")
	if name == "" {
		return "mail"
	}
	return name
}

// probeText is the report for people.
func probeText(r *probe.Report, recommended string, term *terminal.Terminal) string {
	var b strings.Builder
	row := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-14s %s\n", what, terminal.Printable(text))
		}
	}
	fmt.Fprintf(&b, "%s\n", term.Bold(terminal.Printable(r.Host)))
	for i := range r.Ports {
		p := &r.Ports[i]
		names := map[string]string{"tls": "TLS", "stls": "TLS by STLS", "none": "no TLS", "": "closed"}
		if p.Protocol == "imap" {
			names["stls"] = "TLS by STARTTLS"
		}
		fmt.Fprintf(&b, "\nport %d, %s, %s\n", p.Port, strings.ToUpper(p.Protocol), names[p.Security])
		if p.Problem != "" {
			row("problem", p.Problem)
		}
		row("greeting", p.Greeting)
		if p.TLS != nil {
			probeTLS(row, p.TLS)
		}
		row("before TLS", strings.Join(p.Clear, ", "))
		row("capabilities", strings.Join(p.Capabilities, ", "))
		ways := p.Mechanisms
		if p.APOP {
			ways = append(ways[:len(ways):len(ways)], "APOP")
		}
		row("sign-in", strings.Join(ways, ", "))
		row("PIPELINING", p.Pipelining)
		row("software", p.Implementation)
	}
	if r.Mailbox != nil {
		fmt.Fprintf(&b, "\nmailbox of %s\n", terminal.Printable(r.Mailbox.User))
		probeMailbox(row, r.Mailbox)
	}
	if len(r.Quirks) > 0 {
		b.WriteString("\nthe server\n")
		for _, q := range r.Quirks {
			fmt.Fprintf(&b, "  %s (%s)\n", terminal.Printable(q.Text), q.ID)
		}
	}
	if recommended != "" {
		fmt.Fprintf(&b, "\nfor postamt.toml:\n\n%s", recommended)
	}
	return b.String()
}

func probeTLS(row func(what, text string), t *probe.TLS) {
	strength := "not against quantum computers"
	if t.PostQuantum {
		strength = "also against quantum computers"
	}
	row("TLS", fmt.Sprintf("%s, %s, key exchange %s (%s)", t.Version, t.Cipher, t.KeyExchange, strength))
	trust := "trusted"
	if !t.Trusted {
		trust = "NOT TRUSTED: " + t.Problem
	}
	left := count(t.DaysLeft, "day") + " left"
	if t.DaysLeft < 0 {
		left = count(-t.DaysLeft, "day") + " out of date"
	}
	row("certificate", fmt.Sprintf("%s; for %s; until %s, %s", trust, strings.Join(t.Names, ", "), t.NotAfter.Format("2006-01-02"), left))
	for i, c := range t.Chain {
		row(map[bool]string{true: "chain"}[i == 0], fmt.Sprintf("%s (%s), by %s", c.Subject, c.Key, c.Issuer))
	}
	row("pin", t.Pin)
}

func probeMailbox(row func(what, text string), m *probe.Mailbox) {
	row("problem", m.Problem)
	if !m.SignedIn {
		return
	}
	yes := func(b bool) string {
		if b {
			return "works"
		}
		return "does not work"
	}
	row("signed in", fmt.Sprintf("with %s at port %d", m.Mechanism, m.Port))
	row("messages", fmt.Sprintf("%s, %s", count(m.Messages, "message"), terminal.FormatOctets(m.Octets)))
	row("capabilities", strings.Join(m.Capabilities, ", "))
	row("UIDL", yes(m.UIDL))
	if m.TOP != nil {
		row("TOP", yes(*m.TOP))
	}
	row("PIPELINING", m.Pipelining)
	if m.LoginDelay > 0 {
		row("LOGIN-DELAY", (time.Duration(m.LoginDelay) * time.Second).String())
	}
	if m.ExpireDays != nil {
		row("EXPIRE", count(*m.ExpireDays, "day"))
	}
	row("software", m.Implementation)
}
