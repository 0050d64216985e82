package discover

import (
	"net"
	"strconv"
)

// A Protocol is a way to get at a mailbox.
type Protocol string

// The protocols.
const (
	POP3 Protocol = "pop3"
	IMAP Protocol = "imap"
)

// An Origin is a kind of place that names servers.
type Origin string

// The origins, in the order in which they are asked.
const (
	FromKnown      Origin = "built-in"
	FromAutoconfig Origin = "autoconfig"
	FromISPDB      Origin = "ispdb"
	FromSRV        Origin = "srv"
	FromMX         Origin = "mx"
	FromGuess      Origin = "guess"
)

// A Candidate is a server that may have the mailbox. All have TLS in one way or the other.
type Candidate struct {
	Protocol Protocol `json:"protocol"`
	// Host is a name, in lower case and ASCII.
	Host string `json:"host"`
	Port int    `json:"port"`
	// TLS from the first octet; else STLS or STARTTLS before anything else.
	TLS bool `json:"tls"`
	// Users are the names to sign in with, in the order to try them.
	Users []string `json:"users"`
	// OAuth and Password are how one can sign in. Neither is set if nobody said.
	OAuth    bool `json:"oauth,omitempty"`
	Password bool `json:"password,omitempty"`
	// Provider is the name of a provider that is built in, for its OAuth settings, or empty.
	Provider string `json:"provider,omitempty"`
	// Origin and Where say who named the server: Where is a URL, a DNS record or a sentence.
	Origin Origin `json:"origin"`
	Where  string `json:"where"`
	// Confirm says why a person must confirm Host before anything is sent there. Empty means that the domain vouches for it.
	Confirm string `json:"confirm,omitempty"`
	// Enable is a page on which the provider lets people turn the service on, if it named one.
	Enable string `json:"enable,omitempty"`
	// Leave says that the provider suggests leaving mail on the server.
	Leave bool `json:"leave,omitempty"`
}

// Address returns host:port.
func (c *Candidate) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// URL returns the server as a [[fetch]] names it, without a user: "pop3s://pop.example.net".
func (c *Candidate) URL() string {
	scheme, usual := string(c.Protocol), 110
	switch {
	case c.Protocol == POP3 && c.TLS:
		scheme, usual = "pop3s", 995
	case c.Protocol == IMAP && c.TLS:
		scheme, usual = "imaps", 993
	case c.Protocol == IMAP:
		usual = 143
	}
	if c.Port == usual {
		return scheme + "://" + c.Host
	}
	return scheme + "://" + c.Address()
}

// OAuthOnly tells whether passwords are of no use there.
func (c *Candidate) OAuthOnly() bool { return c.OAuth && !c.Password }

// A Step is a place that was asked, and what came of it.
type Step struct {
	Origin Origin `json:"origin"`
	Where  string `json:"where"`
	// Found is how many servers it named that can be used.
	Found int `json:"found"`
	// Problem says why it named none, in one sentence.
	Problem string `json:"problem,omitempty"`
}

// A Result is what was found.
type Result struct {
	// Candidates are all from the first place that named a POP3 server, the best first; else those for IMAP.
	Candidates []Candidate `json:"candidates"`
	// Steps are the places that were asked, in order.
	Steps []Step `json:"steps"`
}

// POP3 returns the candidates that speak POP3.
func (r *Result) POP3() []Candidate { return r.of(POP3) }

// IMAP returns the candidates that speak IMAP.
func (r *Result) IMAP() []Candidate { return r.of(IMAP) }

func (r *Result) of(p Protocol) []Candidate {
	var found []Candidate
	for _, c := range r.Candidates {
		if c.Protocol == p {
			found = append(found, c)
		}
	}
	return found
}
