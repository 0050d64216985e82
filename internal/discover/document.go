package discover

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of an autoconfig document.
const (
	// MaxDocument is the largest document, in octets. The largest known is 10 KiB.
	MaxDocument = 256 << 10
	// maxDepth is how deep its elements may be nested. Known ones have 5 levels.
	maxDepth = 16
	// maxElements is how many elements it may have.
	maxElements = 5000
	// maxServers is how many servers are taken from it.
	maxServers = 20
	// maxValue is the longest text of an element that counts, in octets.
	maxValue = 1024
	// maxUser is the longest name to sign in with, in octets.
	maxUser = 255
)

var (
	// ErrDocument: what came is not an autoconfig document.
	ErrDocument = errors.New("is not an autoconfig document")
	errDoctype  = fmt.Errorf("%w: it has a DOCTYPE, which could define entities", ErrDocument)
)

// A document is what an autoconfig document says about mailboxes.
type document struct {
	servers []Candidate
	// skipped says why other servers of the document are not among them.
	skipped []string
}

// incoming is an element incomingServer.
type incoming struct {
	kind, hostname, port, socket, username string

	auth  []string
	leave bool
}

// parseDocument reads an autoconfig document, version 1.1, for an address. The names in it are checked; servers that
// cannot be used (no TLS, no name, another protocol) are left out.
func parseDocument(text []byte, a Address) (document, error) {
	var doc document
	if len(text) > MaxDocument {
		return doc, fmt.Errorf("%w: it has more than %d octets", ErrDocument, MaxDocument)
	}
	d := xml.NewDecoder(bytes.NewReader(text)) // strict, without entities but the five of XML, UTF-8 only
	var path []string
	var value strings.Builder
	var server incoming
	var enable string
	elements := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return document{}, fmt.Errorf("%w: %s", ErrDocument, plain(strings.TrimPrefix(err.Error(), "XML ")))
		}
		switch t := token.(type) {
		case xml.Directive:
			return document{}, errDoctype
		case xml.StartElement:
			if elements++; elements > maxElements || len(path) == maxDepth {
				return document{}, fmt.Errorf("%w: it has too many elements", ErrDocument)
			}
			if len(path) == 0 && (elements > 1 || t.Name.Local != "clientConfig") {
				return document{}, fmt.Errorf("%w: it begins with %.40q", ErrDocument, t.Name.Local)
			}
			path = append(path, t.Name.Local)
			value.Reset()
			switch {
			case is(path, "emailProvider", "incomingServer"):
				server = incoming{kind: attribute(t, "type")}
			case is(path, "emailProvider", "enable"):
				enable = page(attribute(t, "visiturl"))
			}
		case xml.CharData:
			if value.Len()+len(t) <= maxValue {
				value.Write(t)
			}
		case xml.EndElement:
			server.set(path, strings.TrimSpace(value.String()))
			value.Reset()
			if is(path, "emailProvider", "incomingServer") {
				doc.add(server, a)
			}
			path = path[:len(path)-1]
		}
	}
	if elements == 0 {
		return document{}, fmt.Errorf("%w: it is empty", ErrDocument)
	}
	for i := range doc.servers {
		doc.servers[i].Enable = enable
	}
	return doc, nil
}

// is tells whether a path is clientConfig and these elements below it.
func is(path []string, below ...string) bool {
	return len(path) == len(below)+1 && slices.Equal(path[1:], below)
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// set takes the text of an element of incomingServer.
func (s *incoming) set(path []string, value string) {
	at := []string{"emailProvider", "incomingServer"}
	switch {
	case is(path, append(at, "hostname")...):
		s.hostname = value
	case is(path, append(at, "port")...):
		s.port = value
	case is(path, append(at, "socketType")...):
		s.socket = value
	case is(path, append(at, "username")...):
		s.username = value
	case is(path, append(at, "authentication")...):
		s.auth = append(s.auth, value)
	case is(path, append(at, "pop3", "leaveMessagesOnServer")...):
		s.leave = value == "true"
	}
}

// add takes over a server, or says why not.
func (doc *document) add(s incoming, a Address) {
	if len(doc.servers)+len(doc.skipped) >= maxServers {
		return
	}
	c, err := s.candidate(a)
	if err != nil {
		doc.skipped = append(doc.skipped, err.Error())
		return
	}
	doc.servers = append(doc.servers, c)
}

func (s *incoming) candidate(a Address) (Candidate, error) {
	var c Candidate
	switch s.kind {
	case "pop3":
		c.Protocol = POP3
	case "imap":
		c.Protocol = IMAP
	default:
		return c, fmt.Errorf("a server of the kind %.20q is of no use here", s.kind)
	}
	name, err := fill(s.hostname, a)
	if err == nil {
		c.Host, err = host(name)
	}
	if err != nil {
		return c, err
	}
	port, err := strconv.ParseUint(s.port, 10, 16)
	if err != nil || port == 0 {
		return c, fmt.Errorf("%s has no port that can be", c.Host)
	}
	c.Port = int(port)
	switch strings.ToUpper(s.socket) {
	case "SSL", "TLS":
		c.TLS = true
	case "STARTTLS":
	default:
		return c, fmt.Errorf("%s is offered without TLS, which is not used", c.Address())
	}
	user, err := fill(s.username, a)
	if err != nil || user == "" || len(user) > maxUser || strings.ContainsFunc(user, unicode.IsControl) {
		return c, fmt.Errorf("%s has no user name that can be used", c.Address())
	}
	c.Users = []string{user}
	c.Leave = s.leave
	for _, m := range s.auth {
		switch strings.ToLower(m) {
		case "oauth2":
			c.OAuth = true
		case "password-cleartext", "plain", "password-encrypted", "secure":
			c.Password = true
		}
	}
	return c, nil
}

var placeholder = regexp.MustCompile(`%[A-Z0-9]+%`)

// fill puts the address into a value of the document, once: what comes from the address is not looked at again.
func fill(s string, a Address) (string, error) {
	var err error
	filled := placeholder.ReplaceAllStringFunc(s, func(name string) string {
		switch name {
		case "%EMAILADDRESS%":
			return a.String()
		case "%EMAILLOCALPART%":
			return a.Local
		case "%EMAILDOMAIN%":
			return a.Domain
		}
		err = fmt.Errorf("it asks for %.40s, which is not known here", name)
		return ""
	})
	return filled, err
}

// page returns a link that can be shown to a person, or nothing.
func page(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || !validHost(u.Hostname()) {
		return ""
	}
	return u.String()
}

// plain makes a text of a stranger fit to be shown: one line of bounded length.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}
