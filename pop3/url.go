package pop3

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrURL: a string is no POP URL.
var ErrURL = errors.New("pop3: malformed POP URL")

// A URL names a server, and perhaps a user and a way to sign in: pop://user;AUTH=mech@host:port (RFC 2384). It never
// holds a password. It may come from anybody: do not send a stored password to its host without the user's leave.
type URL struct {
	// User is the user's name, decoded, or empty.
	User string
	// Auth is the way to sign in, decoded: a SASL mechanism, "+APOP" or another extension with a plus, "*" for the
	// client's choice, or empty. A URL with a user and no Auth means "*" (RFC 2384 §4).
	Auth string
	// Host is a domain name or an IP address, without brackets.
	Host string
	// Port is the TCP port; 0 means Port (110).
	Port uint16
}

// ParseURL reads a POP URL. A password, a path, a query and a fragment are refused (RFC 2384 §3, §5).
func ParseURL(s string) (URL, error) {
	u, err := parseURL(s)
	if err != nil {
		// s is not shown whole: somebody may have put a password into it.
		return URL{}, fmt.Errorf("%w: %s", ErrURL, err.Error())
	}
	return u, nil
}

func parseURL(s string) (u URL, err error) {
	const scheme = "pop://"
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return u, errors.New(`it does not begin with "pop://"`)
	}
	rest := s[len(scheme):]
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return u, fmt.Errorf("%q is not allowed after the host", rest[i:i+1])
	}
	hostport := rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if u.User, u.Auth, err = parseUserAuth(rest[:i]); err != nil {
			return u, err
		}
		hostport = rest[i+1:]
	}
	u.Host, u.Port, err = parseHostPort(hostport)
	return u, err
}

// parseUserAuth reads user and ;AUTH=mech. The user may be missing (RFC 2384 §3).
func parseUserAuth(s string) (user, auth string, err error) {
	enc, encAuth, hasAuth := strings.Cut(s, ";")
	if user, err = decode(enc); err != nil {
		return "", "", err
	}
	if !hasAuth {
		if user == "" {
			return "", "", errors.New(`there is nothing before the "@"`)
		}
		return user, "", nil
	}
	const key = "AUTH="
	if len(encAuth) <= len(key) || !strings.EqualFold(encAuth[:len(key)], key) {
		return "", "", errors.New(`";" must be followed by "AUTH=" and a mechanism`)
	}
	auth, err = decode(encAuth[len(key):])
	if err == nil && auth == "+" {
		err = errors.New(`"+" must be followed by a mechanism`)
	}
	return user, auth, err
}

// achars are what RFC 2384 §8 allows besides letters and digits.
const achars = "$-_.+!*'(),&=~"

func isAchar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(achars, c) >= 0
}

func decode(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) {
				return "", errors.New(`"%" must be followed by two hexadecimal digits`)
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New(`"%" must be followed by two hexadecimal digits`)
			}
			if n < ' ' || n == 0x7F {
				return "", errors.New("there is a control character in the user or mechanism")
			}
			b = append(b, byte(n))
			i += 2
		case c == ':':
			return "", errors.New("a password is not allowed in it")
		case !isAchar(c):
			return "", fmt.Errorf("character %q must be written with %%", c)
		default:
			b = append(b, c)
		}
	}
	return string(b), nil
}

func parseHostPort(s string) (host string, port uint16, err error) {
	host, digits, hasPort := s, "", false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, errors.New(`"]" is missing`)
		}
		host, digits = s[1:end], s[end+1:]
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", 0, errors.New("there is no IPv6 address between the brackets")
		}
		if digits != "" {
			if digits[0] != ':' {
				return "", 0, errors.New(`"]" must be followed by ":" and a port`)
			}
			digits, hasPort = digits[1:], true
		}
	} else {
		host, digits, hasPort = strings.Cut(s, ":")
		if !validHost(host) {
			return "", 0, errors.New("the host is missing or not a name")
		}
	}
	if !hasPort {
		return host, 0, nil
	}
	n, ok := ParseNum(digits)
	if !ok || n > 65535 {
		return "", 0, errors.New("the port is not a number from 1 to 65535")
	}
	return host, uint16(n), nil
}

// validHost reports whether s can be a domain name or an IPv4 address.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// String returns the URL, encoded.
func (u URL) String() string {
	var b strings.Builder
	b.WriteString("pop://")
	if u.User != "" || u.Auth != "" {
		encode(&b, u.User)
		if u.Auth != "" {
			b.WriteString(";AUTH=")
			encode(&b, u.Auth)
		}
		b.WriteByte('@')
	}
	if strings.Contains(u.Host, ":") {
		b.WriteString("[" + u.Host + "]")
	} else {
		b.WriteString(u.Host)
	}
	if u.Port != 0 && u.Port != Port {
		b.WriteString(":" + strconv.Itoa(int(u.Port)))
	}
	return b.String()
}

// Address returns host and port, as net.Dial takes them.
func (u URL) Address() string {
	port := u.Port
	if port == 0 {
		port = Port
	}
	return net.JoinHostPort(u.Host, strconv.Itoa(int(port)))
}

func encode(b *strings.Builder, s string) {
	for i := range len(s) {
		if isAchar(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(b, "%%%02X", s[i])
		}
	}
}
