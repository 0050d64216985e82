package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Destinations in folders on IMAP servers.
const (
	ToIMAP  = "imap"  // STARTTLS
	ToIMAPS = "imaps" // TLS from the first octet
)

// maxFolder is the longest name of a folder, in octets.
const maxFolder = 1000

// imapFolder returns the folder that a URL names, INBOX if it names none.
func imapFolder(u *url.URL) (string, error) {
	folder := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New(`has a "?" or "#" in it, write %3F or %23 if the folder is called so`)
	case folder == "":
		return "INBOX", nil
	case len(folder) > maxFolder || !utf8.ValidString(folder) || strings.ContainsFunc(folder, unicode.IsControl):
		return "", errors.New("names a folder that cannot be: it is UTF-8 without control characters, at most 1000 octets")
	}
	return folder, nil
}

// parseIMAP reads "imaps://USER@HOST/FOLDER".
func parseIMAP(d *Destination, s string) error {
	u, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(s, unicode.IsSpace) || !validHost(u.Hostname()) && !isIP(u.Hostname()) {
		return fmt.Errorf(`names no server, write one like "%s://bob@imap.example.org/Archive", with %%20 for a space`, d.Kind)
	}
	if _, has := u.User.Password(); has {
		return errors.New(`has a password in it, which must not stand in this file: set imap_password = "file:PATH"`)
	}
	if d.User = u.User.Username(); d.User == "" || strings.ContainsAny(d.User, "\r\n\x00") {
		return fmt.Errorf(`names no user, write one like "%s://bob@imap.example.org"`, d.Kind)
	}
	folder, err := imapFolder(u)
	if err != nil {
		return err
	}
	port := map[string]string{ToIMAP: "143", ToIMAPS: "993"}[d.Kind]
	d.Name, d.Words = net.JoinHostPort(u.Hostname(), first(u.Port(), port)), []string{folder}
	if !validPort(d.Name) {
		return errors.New("has no port that can be, ports are 1 to 65535")
	}
	return nil
}

// checkIMAP looks at what sources and destinations by IMAP need.
func (f *Fetch) checkIMAP(p *problems, key string, c *Config) {
	server, err := ParseServer(f.URL)
	if err == nil && server.IMAP {
		for _, m := range []string{"APOP", "USER"} {
			if slices.Contains(f.Auth, m) {
				p.add(key+".auth", "%s is of POP3, an imap:// server has LOGIN and SASL mechanisms", show(m))
			}
		}
	}
	wanted := slices.ContainsFunc(f.Destinations(), func(d Destination) bool { return d.Kind == ToIMAP || d.Kind == ToIMAPS })
	switch {
	case f.IMAPPassword != "" && f.IMAPOAuth != "":
		p.add(key+".imap_oauth", "does not go with imap_password, remove one of them")
	case wanted && f.IMAPPassword == "" && f.IMAPOAuth == "":
		p.add(key, "has an imap:// destination, but no imap_password")
	case !wanted && f.IMAPOAuth != "":
		p.add(key+".imap_oauth", "is for an imap:// destination, and to has none")
	case f.IMAPOAuth != "" && c.FindOAuth(f.IMAPOAuth) == nil:
		p.add(key+".imap_oauth", "there is no [[oauth]] with the name %s, write one", show(f.IMAPOAuth))
	case f.IMAPPassword != "":
		checkPassword(p, key, "imap_password", f.IMAPPassword)
	}
}
