package oauth

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// A Provider says where the authorization server is. Endpoints that are missing are looked up in the metadata of Issuer, if
// there is one (RFC 8414).
type Provider struct {
	// Issuer is the server's identifier, an address of https.
	Issuer string
	// AuthURL is where people sign in, TokenURL where tokens are had, DeviceURL where codes for other devices are had (RFC
	// 8628), RevokeURL where tokens are given back (RFC 7009).
	AuthURL, TokenURL, DeviceURL, RevokeURL string
	// Basic sends the client's id and secret by HTTP Basic, not in the request's body (RFC 6749 §2.3.1).
	Basic bool
	// AuthParams are added to the address where people sign in.
	AuthParams map[string]string
	// Redirect is where the browser is sent back to: "http://127.0.0.1" or "http://localhost" for any free port.
	Redirect string
}

// A Use is what a token is for.
type Use uint8

// Uses.
const (
	// UsePOP and UseIMAP fetch mail.
	UsePOP Use = iota
	UseIMAP
	// UseGmailInsert puts mail into a mailbox by Gmail's API.
	UseGmailInsert
	// UseIMAPAppend puts mail into a folder by IMAP.
	UseIMAPAppend
)

// Names of providers that are known.
const (
	Gmail   = "gmail"
	Outlook = "outlook"
	Yahoo   = "yahoo"
)

// Preset returns what is known of a provider. tenant is Microsoft's: a directory's id or domain, "common", "consumers" or
// "organizations"; empty means common.
func Preset(name, tenant string) (Provider, error) {
	switch name {
	case Gmail:
		return Provider{
			Issuer:    "https://accounts.google.com",
			AuthURL:   "https://accounts.google.com/o/oauth2/v2/auth",
			TokenURL:  "https://oauth2.googleapis.com/token",
			DeviceURL: "https://oauth2.googleapis.com/device/code",
			RevokeURL: "https://oauth2.googleapis.com/revoke",
			Redirect:  "http://127.0.0.1",
			// Without these two there is no refresh token, or none the second time.
			AuthParams: map[string]string{"access_type": "offline", "prompt": "consent"},
		}, nil
	case Outlook:
		if tenant == "" {
			tenant = "common"
		}
		base := "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
		return Provider{
			AuthURL: base + "authorize", TokenURL: base + "token", DeviceURL: base + "devicecode",
			Redirect: "http://localhost", // the port is left out when it is compared
		}, nil
	case Yahoo:
		const base = "https://api.login.yahoo.com/oauth2/"
		return Provider{
			Issuer: "https://api.login.yahoo.com", AuthURL: base + "request_auth", TokenURL: base + "get_token",
			RevokeURL: base + "revoke", Basic: true, Redirect: "oob",
		}, nil
	}
	return Provider{}, fmt.Errorf("there is no provider %q known here", name)
}

// Scopes returns what has to be asked for at a provider that is known, nil for others.
func Scopes(name string, use Use, flow Flow) []string {
	switch {
	case name == Gmail && use == UseGmailInsert:
		return []string{"https://www.googleapis.com/auth/gmail.insert", "https://www.googleapis.com/auth/gmail.labels"}
	case name == Gmail:
		return []string{"https://mail.google.com/"}
	case name == Outlook && flow == ClientCredentials:
		return []string{"https://outlook.office365.com/.default"}
	case name == Outlook && (use == UseIMAP || use == UseIMAPAppend):
		return []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"}
	case name == Outlook:
		return []string{"https://outlook.office.com/POP.AccessAsUser.All", "offline_access"}
	case name == Yahoo:
		return []string{"mail-w"} // reading alone does not delete
	}
	return nil
}

// errAddress is what is wrong with an address of a server.
var errAddress = errors.New("is no address of https, which is needed so that nobody on the way can read tokens")

// CheckURL refuses what a token must not be sent to: anything but https, except on this very machine.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errAddress
	}
	if u.Scheme == "https" || u.Scheme == "http" && onThisMachine(u.Hostname()) {
		return nil
	}
	return errAddress
}

func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}
