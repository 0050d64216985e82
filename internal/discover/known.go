package discover

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A provider is one of the few whose settings everybody knows and who want OAuth.
type provider struct {
	name    string
	host    string   // its POP3 server, port 995
	others  []string // other names of it
	domains []string
	mx      []string // domains of its MX hosts
	oauth   bool     // no passwords but OAuth; else passwords made for one program work, too
}

// providers stand here because their documents are in no domain of theirs, and because people must be told about OAuth.
// Sources: the providers' help pages (support.google.com/mail/answer/7104828, "POP, IMAP, and SMTP settings for
// Outlook.com", help.yahoo.com SLN4075).
var providers = []provider{
	{
		name: "gmail", host: "pop.gmail.com", others: []string{"pop.googlemail.com"},
		domains: []string{"gmail.com", "googlemail.com"}, mx: []string{"google.com", "googlemail.com"},
	},
	{
		name: "outlook", host: "outlook.office365.com", others: []string{"pop-mail.outlook.com", "outlook.office.com"},
		domains: []string{"outlook.com", "hotmail.com", "live.com", "msn.com"},
		mx:      []string{"mail.protection.outlook.com", "olc.protection.outlook.com"}, oauth: true,
	},
	{
		name: "yahoo", host: "pop.mail.yahoo.com", domains: []string{"yahoo.com", "ymail.com", "rocketmail.com"},
		mx: []string{"am0.yahoodns.net"},
	},
}

func (p *provider) candidate(a Address, origin Origin, where string) Candidate {
	return Candidate{
		Protocol: POP3, Host: p.host, Port: 995, TLS: true, Users: []string{a.String()},
		OAuth: true, Password: !p.oauth, Provider: p.name, Origin: origin, Where: where,
	}
}

// builtIn returns the server of a domain that is built in.
func builtIn(a Address) []Candidate {
	for i := range providers {
		if slices.Contains(providers[i].domains, a.Domain) {
			return []Candidate{providers[i].candidate(a, FromKnown, "built into this program")}
		}
	}
	return nil
}

// byMX returns the server of a provider that runs the mail of the domain.
func byMX(a Address, mx string) []Candidate {
	for i := range providers {
		p := &providers[i]
		if slices.ContainsFunc(p.mx, func(d string) bool { return within(mx, d) }) {
			c := p.candidate(a, FromMX, "the mail of "+a.Domain+" goes to "+mx)
			c.Confirm = p.host + " is not within " + a.Domain + ", and the DNS that names it can be forged"
			return []Candidate{c}
		}
	}
	return nil
}

// Known adds to a POP3 server what is built in about it: the provider, how to sign in, and the user's name there.
func Known(c *Candidate, a Address) {
	c.Provider = Provider(c.Host)
	i := slices.IndexFunc(providers, func(p provider) bool { return p.name == c.Provider })
	if i >= 0 && c.Protocol == POP3 {
		c.OAuth, c.Password, c.Users = true, !providers[i].oauth, []string{a.String()}
	}
}

// Provider returns the name of the provider that a server belongs to, "gmail", "outlook" or "yahoo", or nothing.
func Provider(server string) string {
	server = strings.ToLower(strings.TrimSuffix(server, "."))
	for _, p := range providers {
		if server == p.host || slices.Contains(p.others, server) {
			return p.name
		}
	}
	return ""
}

// baseDomain returns the domain below which somebody gives names: example.co.uk for mx.example.co.uk.
func baseDomain(host string) string {
	base, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return base
}
