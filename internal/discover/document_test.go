package discover

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// incomingServer returns an element with these values in place of good ones.
func incomingServer(kind string, values ...string) string {
	all := map[string]string{"hostname": "pop.example.net", "port": "995", "socketType": "SSL", "username": "%EMAILADDRESS%", "authentication": "password-cleartext"}
	for i := 0; i+1 < len(values); i += 2 {
		all[values[i]] = values[i+1]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<incomingServer type=%q>\n", kind)
	for _, k := range []string{"hostname", "port", "socketType", "username", "authentication"} {
		fmt.Fprintf(&b, " <%s>%s</%s>\n", k, all[k], k)
	}
	return b.String() + "</incomingServer>\n"
}

func config(inside ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1"><emailProvider id="example.net"><domain>example.net</domain>` + strings.Join(inside, "") +
		`<outgoingServer type="smtp"><hostname>smtp.example.net</hostname></outgoingServer></emailProvider></clientConfig>`
}

func TestDocument(t *testing.T) {
	t.Parallel()
	pop := Candidate{Protocol: POP3, Host: "pop.example.net", Port: 995, TLS: true, Users: []string{"bob@example.net"}, Password: true}
	with := func(change func(*Candidate)) []Candidate {
		c := pop
		change(&c)
		return []Candidate{c}
	}
	for _, tt := range []struct {
		name, text string
		want       []Candidate
	}{
		{"as the format's description has it", config(incomingServer("pop3")), []Candidate{pop}},
		{"STLS", config(incomingServer("pop3", "socketType", "STARTTLS", "port", "110")), with(func(c *Candidate) { c.TLS, c.Port = false, 110 })},
		{"local part", config(incomingServer("pop3", "username", "%EMAILLOCALPART%")), with(func(c *Candidate) { c.Users = []string{"bob"} })},
		{"domain in the host", config(incomingServer("pop3", "hostname", "pop.%EMAILDOMAIN%")), []Candidate{pop}},
		{"domain in the user", config(incomingServer("pop3", "username", "%EMAILLOCALPART%.%EMAILDOMAIN%")), with(func(c *Candidate) { c.Users = []string{"bob.example.net"} })},
		{"a percent sign that is none of ours", config(incomingServer("pop3", "username", "50%bob")), with(func(c *Candidate) { c.Users = []string{"50%bob"} })},
		{"upper case and a dot", config(incomingServer("pop3", "hostname", "POP.Example.NET.")), []Candidate{pop}},
		{"space around the values", config(incomingServer("pop3", "hostname", "\n pop.example.net\n", "port", " 995 ")), []Candidate{pop}},
		{"OAuth only", config(incomingServer("pop3", "authentication", "OAuth2")), with(func(c *Candidate) { c.OAuth, c.Password = true, false })},
		{"OAuth and a password", config(incomingServer("pop3", "authentication", "OAuth2</authentication><authentication>password-cleartext")), with(func(c *Candidate) { c.OAuth = true })},
		{"a way to sign in that we do not have", config(incomingServer("pop3", "authentication", "GSSAPI")), with(func(c *Candidate) { c.Password = false })},
		{"IMAP", config(incomingServer("imap", "port", "993")), with(func(c *Candidate) { c.Protocol, c.Port = IMAP, 993 })},
		{"leave on server", config(strings.Replace(incomingServer("pop3"), "</incomingServer>", "<pop3><leaveMessagesOnServer>true</leaveMessagesOnServer></pop3></incomingServer>", 1)), with(func(c *Candidate) { c.Leave = true })},
		{"must be turned on", config(incomingServer("pop3"), `<enable visiturl="https://www.example.net/pop"><instruction>Turn it on</instruction></enable>`), with(func(c *Candidate) { c.Enable = "https://www.example.net/pop" })},
		{"a page that is no link", config(incomingServer("pop3"), `<enable visiturl="javascript:alert(1)"/>`), []Candidate{pop}},
		{"namespace and comments", strings.Replace(config("<!-- a -->", incomingServer("pop3")), "<clientConfig", `<clientConfig xmlns="urn:x"`, 1), []Candidate{pop}},
		{"no TLS", config(incomingServer("pop3", "socketType", "plain", "port", "110")), nil},
		{"Exchange", config(incomingServer("exchange")), nil},
		{"host without a dot", config(incomingServer("pop3", "hostname", "localhost")), nil},
		{"an address for a host", config(incomingServer("pop3", "hostname", "127.0.0.1")), nil},
		{"IPv6", config(incomingServer("pop3", "hostname", "[::1]")), nil},
		{"host with a port", config(incomingServer("pop3", "hostname", "pop.example.net:22")), nil},
		{"host with a path", config(incomingServer("pop3", "hostname", "pop.example.net/x")), nil},
		{"no port", config(incomingServer("pop3", "port", "")), nil},
		{"port 0", config(incomingServer("pop3", "port", "0")), nil},
		{"port 65536", config(incomingServer("pop3", "port", "65536")), nil},
		{"port with a sign", config(incomingServer("pop3", "port", "+995")), nil},
		{"placeholder that asks too much", config(incomingServer("pop3", "username", "%REALNAME%")), nil},
		{"user with a line end", config(incomingServer("pop3", "username", "bob&#13;&#10;DELE 1")), nil},
		{"user too long", config(incomingServer("pop3", "username", strings.Repeat("x", maxUser+1))), nil},
		{"no user", config(incomingServer("pop3", "username", "")), nil},
		{"not below a provider", `<clientConfig>` + incomingServer("pop3") + `</clientConfig>`, nil},
		{"nothing in it", config(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc, err := parseDocument([]byte(tt.text), bob(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, doc.servers); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.Contains(tt.text, "<incomingServer") && strings.Contains(tt.text, "<emailProvider") && len(doc.servers)+len(doc.skipped) != 1 {
				t.Errorf("nothing is said about the server: %+v", doc)
			}
		})
	}
}

// What is put in for a placeholder is not looked at for others.
func TestPlaceholdersOfTheAddress(t *testing.T) {
	t.Parallel()
	a, err := ParseAddress("%EMAILDOMAIN%@example.net")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parseDocument([]byte(config(incomingServer("pop3", "username", "%EMAILLOCALPART%"))), a)
	if err != nil || len(doc.servers) != 1 || doc.servers[0].Users[0] != "%EMAILDOMAIN%" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestMalformedDocuments(t *testing.T) {
	t.Parallel()
	good := config(incomingServer("pop3"))
	for name, text := range map[string]string{
		"empty":                 "",
		"only a comment":        "<!-- -->",
		"a page of HTML":        "<!doctype html><html><body>Not here</body></html>",
		"HTML without DOCTYPE":  "<html><body>Not here</body></html>",
		"another document":      `<autodiscover/>`,
		"two documents":         "<clientConfig/><clientConfig/>",
		"cut off":               good[:len(good)-20],
		"wrong nesting":         "<clientConfig><emailProvider></clientConfig></emailProvider>",
		"entities":              `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><clientConfig>&b;</clientConfig>`,
		"external entity":       `<!DOCTYPE x SYSTEM "file:///etc/passwd"><clientConfig/>`,
		"unknown entity":        "<clientConfig>&nbsp;</clientConfig>",
		"DOCTYPE further below": "<clientConfig><!DOCTYPE x></clientConfig>",
		"another charset":       `<?xml version="1.0" encoding="UTF-16"?><clientConfig/>`,
		"not UTF-8":             "<clientConfig>\xff</clientConfig>",
		"NUL":                   "<clientConfig>\x00</clientConfig>",
		"too deep":              "<clientConfig>" + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + "</clientConfig>",
		"too many elements":     "<clientConfig>" + strings.Repeat("<a/>", maxElements) + "</clientConfig>",
		"too long":              good + strings.Repeat(" ", MaxDocument),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := parseDocument([]byte(text), bob(t))
			if !errors.Is(err, ErrDocument) || len(doc.servers) > 0 {
				t.Errorf("%+v, %v", doc, err)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("the error has %d octets", len(err.Error()))
			}
		})
	}
}

// A document can name many servers; so many are taken, and no text of it counts beyond its bound.
func TestDocumentBounds(t *testing.T) {
	t.Parallel()
	doc, err := parseDocument([]byte(config(strings.Repeat(incomingServer("pop3"), 30), strings.Repeat(incomingServer("x"), 30))), bob(t))
	if err != nil || len(doc.servers) != maxServers || len(doc.skipped) != 0 {
		t.Errorf("%d servers, %d left out, %v", len(doc.servers), len(doc.skipped), err)
	}
	doc, err = parseDocument([]byte(config(incomingServer("pop3", "hostname", strings.Repeat("<!-- -->"+strings.Repeat("a", maxValue), 3)))), bob(t))
	if err != nil || len(doc.servers) != 0 || len(doc.skipped[0]) > 200 {
		t.Errorf("%+v, %v", doc, err)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add(config(incomingServer("pop3"), incomingServer("imap", "socketType", "STARTTLS")))
	f.Add(config(incomingServer("pop3", "hostname", "%EMAILDOMAIN%", "username", "%EMAILLOCALPART%%EMAILDOMAIN%")))
	f.Add(config(incomingServer("pop3", "socketType", "plain"), `<enable visiturl="https://example.net/"/>`))
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`)
	f.Add("<clientConfig><![CDATA[x]]></clientConfig>")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := parseDocument([]byte(text), bob(t))
		if err != nil && (!errors.Is(err, ErrDocument) || len(doc.servers) > 0) {
			t.Fatalf("%+v, %v", doc, err)
		}
		if len(doc.servers)+len(doc.skipped) > maxServers {
			t.Fatalf("%d servers", len(doc.servers)+len(doc.skipped))
		}
		for _, c := range doc.servers {
			if !validHost(c.Host) || c.Host != strings.ToLower(c.Host) || c.Port < 1 || c.Port > 65535 || c.Protocol != POP3 && c.Protocol != IMAP ||
				len(c.Users) != 1 || strings.ContainsAny(c.Users[0], "\r\n\x00") || len(c.Users[0]) > maxUser {
				t.Fatalf("%+v", c)
			}
		}
	})
}
