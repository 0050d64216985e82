package movein

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/postamt/postamt/internal/config"
)

// Configured are the programs whose configuration can be read.
var Configured = []Program{Fetchmail, Getmail, Mpop}

const (
	// maxConfig bounds a configuration file, in octets.
	maxConfig = 1 << 20
	// maxAccounts is how many mailboxes it may have.
	maxAccounts = 1000
)

// An Account is a mailbox that another collector is configured to fetch.
type Account struct {
	// Name is fit for a [[fetch]].
	Name string
	// URL and User are the server and who signs in.
	URL, User string
	// Password is what stands in the file, or empty; Source is where the program gets it from otherwise, in the words of a
	// [[fetch]].
	Password, Source string
	// To are its destinations. Empty: those that it has cannot be carried over.
	To []string
	// Keys are further keys of a [[fetch]].
	Keys []config.FetchKey
	// State is the file in which the program remembers what it has fetched, if its configuration names one.
	State string
	// Lost says what could not be carried over, a sentence each.
	Lost []string
}

// ReadConfig reads a configuration file.
func ReadConfig(p Program, r io.Reader) ([]Account, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("the file has more than %d octets", maxConfig)
	}
	var all []Account
	switch p {
	case Fetchmail:
		all, err = fetchmailConfig(string(text))
	case Getmail:
		all, err = getmailConfig(string(text))
	case Mpop:
		all, err = mpopConfig(string(text))
	default:
		return nil, fmt.Errorf("%q is no program whose configuration can be read", p)
	}
	if err != nil {
		return nil, err
	}
	if len(all) > maxAccounts {
		return nil, fmt.Errorf("the file has more than %d accounts", maxAccounts)
	}
	taken := map[string]bool{}
	for i := range all {
		name := all[i].Name
		for n := 2; taken[strings.ToLower(all[i].Name)]; n++ {
			all[i].Name = fmt.Sprintf("%s-%d", name, n)
		}
		taken[strings.ToLower(all[i].Name)] = true
	}
	return all, nil
}

// lose notes what is not carried over.
func (a *Account) lose(format string, args ...any) {
	a.Lost = append(a.Lost, fmt.Sprintf(format, args...))
}

// set adds a key.
func (a *Account) set(key string, value any) {
	a.Keys = append(a.Keys, config.FetchKey{Key: key, Value: value})
}

// server sets URL, User and, if it has none yet, the name.
func (a *Account) server(scheme, host, port, user string) {
	if port != "" && port != map[string]string{"pop3s": "995", "pop3": "110", "imaps": "993", "imap": "143"}[scheme] {
		host = net.JoinHostPort(host, port)
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]" // an address of IPv6
	}
	a.URL, a.User = (&url.URL{Scheme: scheme, Host: host}).String(), user
	if a.Name == "" {
		local, _, _ := strings.Cut(user, "@")
		a.Name = accountName(local + "-" + strings.TrimSuffix(host, ":"+port))
	}
}

// accountName makes a name that a [[fetch]] can have.
func accountName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, ".-")
	if s == "" {
		s = "account"
	}
	return s[:min(len(s), 60)]
}

// Text returns the [[fetch]]. source is where the password comes from.
func (a *Account) Text(program Program, source string) string {
	comments := []string{"Taken over from " + string(program) + "."}
	for _, l := range a.Lost {
		comments = append(comments, "Not taken over: "+l)
	}
	keys := []config.FetchKey{{Key: "name", Value: a.Name}, {Key: "url", Value: a.URL}, {Key: "user", Value: a.User}}
	if source != "" {
		keys = append(keys, config.FetchKey{Key: "password", Value: source})
	}
	keys = append(keys, config.FetchKey{Key: "to", Value: a.To})
	return config.FetchText(comments, append(keys, a.Keys...))
}
