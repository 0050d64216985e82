package probe

import (
	"time"
)

// A Report is what was seen.
type Report struct {
	Host string `json:"host"`
	// Ports are those that were tried, in order.
	Ports []Port `json:"ports"`
	// Mailbox is what was seen after sign-in, nil without one.
	Mailbox *Mailbox `json:"mailbox,omitempty"`
	// Quirks are what is unusual, each once.
	Quirks []Quirk `json:"quirks"`
}

// A Port is one TCP port.
type Port struct {
	Port     int    `json:"port"`
	Protocol string `json:"protocol"` // "pop3" or "imap"
	// Security is "tls" (from the first octet), "stls" (STLS or STARTTLS) or "none".
	Security string `json:"security,omitempty"`
	// Problem says why it cannot be used, in one sentence. Empty means that it can, if the certificate is trusted.
	Problem  string `json:"problem,omitempty"`
	Greeting string `json:"greeting,omitempty"`
	// APOP says that the greeting has the timestamp that APOP needs.
	APOP bool `json:"apop,omitempty"`
	// Clear is the capability list before TLS, one line each, where there is a before.
	Clear []string `json:"capabilities_before_tls,omitempty"`
	// Capabilities is the list under TLS, before sign-in.
	Capabilities []string `json:"capabilities,omitempty"`
	// Mechanisms are the ways to sign in that are announced under TLS, "USER" for USER and PASS.
	Mechanisms []string `json:"mechanisms,omitempty"`
	// Pipelining is "works", "announced, does not work" or "not announced", before sign-in.
	Pipelining     string `json:"pipelining,omitempty"`
	Implementation string `json:"implementation,omitempty"`
	TLS            *TLS   `json:"tls,omitempty"`
}

// Usable tells whether mail can be fetched there with a certificate that is trusted.
func (p *Port) Usable() bool { return p.Problem == "" && p.TLS != nil && p.TLS.Trusted }

// TLS is how a connection is protected.
type TLS struct {
	Version string `json:"version"` // "TLS 1.3"
	Cipher  string `json:"cipher"`
	// KeyExchange is the group, and PostQuantum whether recorded traffic stays closed to the quantum computers of later.
	KeyExchange string `json:"key_exchange"`
	PostQuantum bool   `json:"post_quantum"`
	// Trusted says that the certificate is good for the host, by the authorities or pins that were asked for; Problem why not.
	Trusted bool   `json:"trusted"`
	Problem string `json:"problem,omitempty"`
	// Names are those that the certificate is for.
	Names    []string  `json:"names"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
	// Pin is the public key, in the form of the key pins of a [[fetch]].
	Pin string `json:"pin"`
	// Chain are the certificates as the server sent them.
	Chain []Certificate `json:"chain"`
}

// A Certificate is one link of a chain.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	Key      string    `json:"key"` // "ECDSA P-256", "RSA 2048"
}

// A Mailbox is what shows after sign-in.
type Mailbox struct {
	Port int    `json:"port"`
	User string `json:"user"`
	// Problem says why nothing more is known. SignedIn tells whether it came before or after.
	Problem  string `json:"problem,omitempty"`
	SignedIn bool   `json:"signed_in"`
	// Err is what Problem was made of.
	Err error `json:"-"`
	// Mechanism is how it was signed in: a SASL mechanism, or "USER".
	Mechanism    string   `json:"mechanism,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Messages     int      `json:"messages"`
	Octets       int64    `json:"octets"`
	// UIDL and TOP tell whether the commands work; of TOP that shows only if there is a message.
	UIDL bool  `json:"uidl"`
	TOP  *bool `json:"top"`
	// Pipelining is as in Port, after sign-in.
	Pipelining string `json:"pipelining"`
	// LoginDelay is the least time between sign-ins in seconds, 0 for none.
	LoginDelay int `json:"login_delay"`
	// ExpireDays is after how many days the server may remove mail, nil if it says nothing or never.
	ExpireDays *int `json:"expire_days"`
	// Implementation is the server's software, if it says.
	Implementation string `json:"implementation,omitempty"`
}

// A Quirk is something that servers should not do, or that one must know.
type Quirk struct {
	// ID is a short name that stays the same: "no-capa", "bare-lf", ...
	ID string `json:"id"`
	// Text says in one sentence what it is, and what we do about it.
	Text string `json:"text"`
}

// What Pipelining can be.
const (
	PipeliningWorks  = "works"
	PipeliningBroken = "announced, does not work"
	PipeliningNone   = "not announced"
)

// quirks are all that are known.
var quirks = map[string]string{
	"no-capa":           "does not know CAPA: what it can do is tried, and what does not work is done without",
	"bare-lf":           "ends lines with a bare LF: read, and a lone dot then ends a message",
	"odd-status":        "writes +OK and -ERR in small letters: read",
	"no-stls":           "does not offer STLS: this port is of no use without TLS",
	"cleartext":         "offers to take passwords before TLS: we never send one there",
	"mechanism-refused": "announces ways to sign in that it refuses: leave them out with auth",
	"pipelining-broken": "announces PIPELINING and does not answer commands sent together",
	"capa-after":        "announces more after sign-in than before: it is asked again then",
	"capa-incomplete":   "knows commands that it does not announce: they are used",
	"no-uidl":           "does not know UIDL: messages are told apart by their headers",
	"no-top":            "does not know TOP: filters and dry runs see no headers",
	"uid-odd":           "has unique-ids that are empty, used twice or too long: such messages are told apart by their headers",
	"size-wrong":        "gives sizes that are not those of the messages: a size is taken as a hint",
	"login-delay":       "wants time between sign-ins (LOGIN-DELAY): the daemon waits as long",
	"expire":            "removes mail by itself after some time (EXPIRE): fetch more often than that",
	"expire-0":          "may remove what was read when the session ends (EXPIRE 0): mail cannot be left there",
	"hangs-up":          "hangs up in place of refusing: reported as what it is",
}

// quirk notes a quirk once.
func (r *Report) quirk(id string) {
	for _, q := range r.Quirks {
		if q.ID == id {
			return
		}
	}
	r.Quirks = append(r.Quirks, Quirk{ID: id, Text: quirks[id]})
}

// Best returns the port to fetch from: POP3, TLS from the first octet rather than STLS, trusted rather than not; nil if
// there is none with TLS.
func (r *Report) Best() *Port {
	for _, trusted := range []bool{true, false} {
		for _, security := range []string{"tls", "stls"} {
			for i := range r.Ports {
				p := &r.Ports[i]
				if p.Protocol == "pop3" && p.Security == security && p.Problem == "" && p.TLS != nil && p.TLS.Trusted == trusted {
					return p
				}
			}
		}
	}
	return nil
}
