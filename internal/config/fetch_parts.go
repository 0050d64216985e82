package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/postamt/postamt/internal/argv"
)

// A Server is what the url of a [[fetch]] says.
type Server struct {
	// IMAP is what it speaks; else POP3.
	IMAP bool
	// TLS from the first octet; else STLS or STARTTLS, unless tls = "none".
	TLS  bool
	User string // empty if it does not stand in the url
	Host string // name or IP address, without brackets
	Port string
	// Folder is what is fetched from an IMAP server.
	Folder string
}

// Address returns host:port.
func (s Server) Address() string { return net.JoinHostPort(s.Host, s.Port) }

// ErrPasswordInURL is the error of [ParseServer] for a URL with a password.
var ErrPasswordInURL = errors.New(`has a password in it, which must not stand in this file: write it to a file of its own and set password = "file:PATH"`)

// ParseServer reads "pop3s://user@host:port" or "pop3://...", "imaps://user@host:port/folder" or "imap://...".
func ParseServer(s string) (Server, error) {
	const example = `write "pop3s://user@host" or "pop3://user@host"`
	u, err := url.Parse(s)
	if err != nil {
		return Server{}, fmt.Errorf("%s is not a server, %s", show(withoutPassword(s)), example)
	}
	server := Server{Host: u.Hostname(), Port: u.Port()}
	switch strings.ToLower(u.Scheme) {
	case "pop3s", "pops":
		server.TLS = true
		server.Port = first(server.Port, "995")
	case "pop3", "pop":
		server.Port = first(server.Port, "110")
	case ToIMAPS:
		server.IMAP, server.TLS = true, true
		server.Port = first(server.Port, "993")
	case ToIMAP:
		server.IMAP = true
		server.Port = first(server.Port, "143")
	default:
		return Server{}, fmt.Errorf("%s is not a server, %s", show(withoutPassword(s)), example)
	}
	if _, has := u.User.Password(); has {
		return Server{}, ErrPasswordInURL
	}
	server.User = u.User.Username()
	if _, ipErr := netip.ParseAddr(server.Host); ipErr != nil && !validHost(server.Host) {
		return Server{}, fmt.Errorf("%s names no host, %s", show(s), example)
	}
	if n, err := strconv.ParseUint(server.Port, 10, 16); err != nil || n == 0 {
		return Server{}, fmt.Errorf("%s has no port that can be, ports are 1 to 65535", show(s))
	}
	if server.IMAP {
		if server.Folder, err = imapFolder(u); err != nil {
			return Server{}, fmt.Errorf("%s %w", show(s), err)
		}
		return server, nil
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return Server{}, fmt.Errorf("%s has something behind the host, %s", show(s), example)
	}
	return server, nil
}

// Server returns what url and user say. The configuration was checked.
func (f *Fetch) Server() Server {
	s, _ := ParseServer(f.URL)
	s.User = first(f.User, s.User)
	return s
}

// withoutPassword makes a text that may hold a password fit to be shown.
func withoutPassword(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "...@" + s[at+1:]
	}
	return s
}

// The kinds of Destination.
const (
	ToStore   = "store"
	ToMaildir = "maildir"
	ToMbox    = "mbox"
	ToPipe    = "pipe"
	ToLMTP    = "lmtp"
	ToSMTP    = "smtp"  // STARTTLS
	ToSMTPS   = "smtps" // TLS from the first octet
	ToGmail   = "gmail"
	// ToMultidrop goes to the accounts that the envelope names.
	ToMultidrop = "multidrop"
)

// A Destination is what one element of the to of a [[fetch]] says.
type Destination struct {
	// Kind is one of the To constants.
	Kind string
	// Name is the account (store), the one for the rest (multidrop), the path (maildir, mbox), the mailbox (gmail), or the
	// address: "unix:PATH" (lmtp) or host:port (lmtp, smtp, smtps, imap, imaps).
	Name string
	// User is who to sign in as (smtp, smtps, imap, imaps), or empty.
	User string
	// Words are the program and its arguments (pipe), the labels (gmail), the folder (imap, imaps), or the addresses of the
	// recipients (lmtp, smtp, smtps).
	Words []string
}

// ParseDestination reads an element of the to of a [[fetch]].
func ParseDestination(s string) (Destination, error) {
	kind, rest, ok := strings.Cut(s, ":")
	d := Destination{Kind: kind}
	bad := func(format string, args ...any) (Destination, error) {
		return Destination{}, fmt.Errorf("%s "+format, append([]any{show(withoutSMTPPassword(s))}, args...)...)
	}
	words, err := argv.Split(rest)
	if err != nil {
		return bad("%v", err)
	}
	if !ok {
		return bad(`says nothing about its kind, write "store:ACCOUNT", "maildir:PATH", "mbox:PATH", "pipe:PROGRAM", "lmtp:HOST:PORT ADDRESS" or "smtp://HOST ADDRESS"`)
	}
	switch kind {
	case ToStore, ToMultidrop:
		if d.Name = rest; rest == "" || strings.ContainsFunc(rest, unicode.IsSpace) {
			return bad(`names no account here, write one like "%s:bob"`, kind)
		}
	case ToMaildir, ToMbox:
		if d.Name = rest; rest == "" || strings.ContainsRune(rest, 0) {
			return bad(`names no path, write one like "%s:~/Mail"`, kind)
		}
	case ToIMAP, ToIMAPS:
		if err := parseIMAP(&d, s); err != nil {
			return bad("%v", err)
		}
	case ToGmail:
		if err := parseGmail(&d, words); err != nil {
			return bad("%v", err)
		}
	case ToPipe:
		if d.Words = words; len(words) == 0 {
			return bad(`names no program, write one like "pipe:/usr/bin/procmail -d bob"`)
		}
	case ToLMTP:
		if len(words) == 0 {
			return bad(`names no server, write one like "lmtp:127.0.0.1:24 bob@example.org"`)
		}
		d.Name, d.Words = words[0], words[1:]
		if network, path := SplitAddress(d.Name); network == "unix" && path != "" {
			break
		}
		if !validPort(d.Name) {
			return bad(`names no server, write one like "lmtp:127.0.0.1:24 bob@example.org" or "lmtp:unix:/run/lmtp.sock bob@example.org"`)
		}
	case ToSMTP, ToSMTPS:
		if len(words) == 0 || !strings.HasPrefix(words[0], "//") {
			return bad(`names no server, write one like "%s://mail.example.org bob@example.org"`, kind)
		}
		u, err := url.Parse(kind + ":" + words[0])
		if err != nil || !validHost(u.Hostname()) && !isIP(u.Hostname()) || u.Path != "" && u.Path != "/" {
			return bad(`names no server, write one like "%s://mail.example.org bob@example.org"`, kind)
		}
		if _, has := u.User.Password(); has {
			return bad(`has a password in it, which must not stand in this file: set smtp_password = "file:PATH"`)
		}
		port := map[string]string{ToSMTP: "587", ToSMTPS: "465"}[kind]
		d.Name, d.User, d.Words = net.JoinHostPort(u.Hostname(), first(u.Port(), port)), u.User.Username(), words[1:]
		if !validPort(d.Name) {
			return bad("has no port that can be, ports are 1 to 65535")
		}
	default:
		return bad(`is of an unknown kind, kinds are store, multidrop, maildir, mbox, pipe, lmtp, smtp, smtps, imap, imaps and gmail`)
	}
	if kind == ToLMTP || kind == ToSMTP || kind == ToSMTPS {
		if len(d.Words) == 0 {
			return bad(`names no recipient, put the address behind the server, like "bob@example.org"`)
		}
		for _, a := range d.Words {
			if strings.ContainsAny(a, "<>\r\n\x00") || len(a) > 254 {
				return bad("has %s as a recipient, which is no address", show(a))
			}
		}
	}
	return d, nil
}

// withoutSMTPPassword keeps the user's part of a server out of what is shown.
func withoutSMTPPassword(s string) string {
	server, rest, _ := strings.Cut(s, " ")
	scheme, host, ok := strings.Cut(server, "://")
	if !ok {
		return s
	}
	if rest != "" {
		rest = " " + rest
	}
	return scheme + "://" + withoutPassword(host) + rest
}

// Destinations returns what to says. The configuration was checked.
func (f *Fetch) Destinations() []Destination {
	all := make([]Destination, 0, len(f.To))
	for _, s := range f.To {
		if d, err := ParseDestination(s); err == nil {
			all = append(all, d)
		}
	}
	return all
}

// FirstRun returns what start says: everything that is there (all), or only what is younger than age.
func (f *Fetch) FirstRun() (all bool, age Duration) {
	switch f.Start {
	case "all":
		return true, 0
	case "now":
		return false, 0
	}
	age, _ = ParseDuration(f.Start)
	return false, age
}

// resolve makes the paths of a [[fetch]] absolute: base is the folder for relative ones, home stands for "~".
func (f *Fetch) resolve(base, home string) error {
	path := func(key, p string) (string, error) {
		rest, tilde := strings.CutPrefix(p, "~/")
		if p != "~" && !tilde {
			return absolute(base, p), nil
		}
		if !filepath.IsAbs(home) {
			return "", fmt.Errorf("fetch %s: %s: there is no home folder for %s, write the whole path", f.Name, key, show(p))
		}
		return filepath.Join(home, rest), nil
	}
	var err error
	to := func(p *string, key, prefix string) {
		if p2, ok := strings.CutPrefix(*p, prefix); ok && p2 != "" && err == nil {
			var resolved string
			if resolved, err = path(key, p2); err == nil {
				*p = prefix + resolved
			}
		}
	}
	f.To = append([]string(nil), f.To...)
	for i := range f.To {
		to(&f.To[i], "to", ToMaildir+":")
		to(&f.To[i], "to", ToMbox+":")
	}
	f.Quarantine = append([]string(nil), f.Quarantine...)
	for i := range f.Quarantine {
		to(&f.Quarantine[i], "quarantine", ToMaildir+":")
		to(&f.Quarantine[i], "quarantine", ToMbox+":")
	}
	for key, p := range map[string]*string{"ca": &f.CA, "smtp_ca": &f.SMTPCA, "imap_ca": &f.IMAPCA, "client_cert": &f.ClientCert, "client_key": &f.ClientKey} {
		to(p, key, "")
	}
	for key, p := range map[string]*string{"password": &f.Password, "smtp_password": &f.SMTPPassword, "imap_password": &f.IMAPPassword, "proxy_password": &f.ProxyPassword, "rspamd_password": &f.RspamdPassword} {
		to(p, key, "file:")
		to(p, key, "netrc:")
	}
	return err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// validPort tells whether an address is host:port with a port that can be.
func validPort(a string) bool {
	host, port, err := net.SplitHostPort(a)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && n > 0 && (isIP(host) || validHost(host))
}
