package mailbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/postamt/postamt/internal/collect"
)

// A Protocol is how mail is fetched. Its text is the scheme of its URLs; with an s behind it, for TLS from the first octet.
type Protocol string

// The protocols.
const (
	POP3 Protocol = "pop3"
	IMAP Protocol = "imap"
)

// ports are those of each scheme (RFC 1939, RFC 8314, RFC 3501).
var ports = map[string]string{"pop3": "110", "pop3s": "995", "imap": "143", "imaps": "993"}

// An Address is a mailbox elsewhere and who signs in.
type Address struct {
	// Host is the server's name in lower case, or its IP address without brackets.
	Host string
	// Dial is host:port.
	Dial string
	// TLS says that TLS begins with the first octet.
	TLS bool
	// User is the name to sign in with. It is not empty.
	User string
	// Folder is what the URL names behind the host, decoded and as it is, which is nothing for POP3.
	Folder string
}

// Parse reads SCHEME://[USER@]HOST[:PORT][/FOLDER]; the folder is for IMAP. user, if not empty, is taken rather than the one in
// the URL. cleartext says that there shall be no TLS at all. A password in the URL is refused, and no error has it.
func Parse(p Protocol, text, user string, cleartext bool) (Address, error) {
	name, last := strings.ToUpper(string(p)), "host"
	if p == IMAP {
		last = "folder"
	}
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("%s address is not a URL: write %ss://user@host", name, p)
	}
	if u.Opaque != "" { // a password may stand anywhere in it
		return Address{}, fmt.Errorf("%s address has no // behind its first colon: write %ss://user@host", name, p)
	}
	a := Address{
		Host: strings.ToLower(u.Hostname()), TLS: u.Scheme == string(p)+"s",
		User: user, Folder: strings.TrimPrefix(u.Path, "/"),
	}
	fail := func(format string, args ...any) (Address, error) {
		return Address{}, fmt.Errorf("%s address %q %s", name, u.Redacted(), fmt.Sprintf(format, args...))
	}
	switch _, password := u.User.Password(); {
	case !a.TLS && u.Scheme != string(p):
		return fail("begins with neither %ss:// nor %s://", p, p)
	case a.Host == "":
		return fail("has no host")
	case p == POP3 && a.Folder != "" || u.RawQuery != "" || u.Fragment != "":
		return fail("has something behind the %s", last)
	case cleartext && a.TLS:
		return fail("asks for TLS, and the option for none")
	case password:
		return fail("has a password in it: keep it elsewhere, others can read it here")
	}
	if a.User == "" {
		a.User = u.User.Username()
	}
	if a.User == "" {
		return fail("has no user")
	}
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	a.Dial = net.JoinHostPort(u.Hostname(), port)
	return a, nil
}

// NoPassword says what it means for a run that there is no password, or no token: a person is needed, unless err says
// otherwise already, or the run was given up.
func (a Address) NoPassword(ctx context.Context, err error) error {
	var temporary *collect.TemporaryError
	if collect.Classify(err) != collect.Temporary || ctx.Err() != nil || errors.As(err, &temporary) {
		return err
	}
	return &collect.PermanentError{Err: fmt.Errorf("password for %s at %s: %w", a.User, a.Host, err)}
}
