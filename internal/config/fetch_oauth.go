package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/postamt/postamt/internal/argv"
)

// OAuth is how tokens are had of a provider that takes no passwords, for all [[fetch]] accounts that name it with oauth;
// each of them has a token of its own, which postamt fetch login gets. docs/oauth.md says step by step where client_id
// comes from.
type OAuth struct {
	// Name that oauth of a [[fetch]] refers to.
	Name string `toml:"name" json:"name" required:"true"`
	// "gmail", "outlook" (Outlook.com and Microsoft 365) or "yahoo": then client_id is nearly all that is needed. Empty
	// means another one, with its issuer or its token_url.
	Provider string `toml:"provider" json:"provider"`
	// What the provider calls this program, from its page for developers.
	ClientID string `toml:"client_id" json:"client_id"`
	// Where the client's secret comes from, written as password of a [[fetch]] is; never the secret itself. Empty means
	// that the provider gave none.
	ClientSecret string `toml:"client_secret" json:"client_secret"`
	// "code" (a browser on this machine, or its address pasted), "device" (a code to be typed in elsewhere), "client" (the
	// client's secret is enough, nobody signs in) or "command" (a program prints a token).
	Flow string `toml:"flow" json:"flow"`
	// What to ask for. Empty means what fetching mail from that provider needs.
	Scopes []string `toml:"scopes" json:"scopes"`
	// With provider = "outlook": the directory, as id or domain, or "common", "consumers" or "organizations". Empty means
	// common.
	Tenant string `toml:"tenant" json:"tenant"`
	// Address of a provider that publishes its endpoints (RFC 8414, or OpenID Connect), like "https://auth.example.org".
	Issuer string `toml:"issuer" json:"issuer"`
	// Address where people sign in.
	AuthURL string `toml:"auth_url" json:"auth_url"`
	// Address where tokens are had.
	TokenURL string `toml:"token_url" json:"token_url"`
	// Address where codes for flow = "device" are had.
	DeviceURL string `toml:"device_url" json:"device_url"`
	// Address where tokens are given back.
	RevokeURL string `toml:"revoke_url" json:"revoke_url"`
	// How the client shows its secret at token_url: "post" (in the request's body) or "basic" (HTTP Basic). Empty means
	// what the provider wants, else "post".
	ClientAuth string `toml:"client_auth" json:"client_auth"`
	// Where the browser is sent back to: "http://127.0.0.1" or "http://localhost", with a port or for any free one, and
	// perhaps a path; "oob" for a provider that shows a code to be typed in here. Empty means what the provider wants,
	// else "http://127.0.0.1".
	Redirect string `toml:"redirect" json:"redirect"`
	// With flow = "command": the program with its arguments (no shell). It prints a token, or JSON with access_token and
	// expires_in.
	Command string `toml:"command" json:"command"`
	// Where tokens are kept: "file" (sealed, in the folder fetch of the data folder) or "keyring" (of the desktop).
	Store string `toml:"store" json:"store"`
	// Where the key comes from with which files of tokens are sealed, written as password of a [[fetch]] is; at least 32
	// octets, as "openssl rand -base64 32" makes them. Empty means a key in a file beside them, which protects them only
	// from those who get at one without the other.
	Key string `toml:"key" json:"key"`
}

// DefaultOAuth returns what an [[oauth]] is before its keys are read.
func DefaultOAuth() OAuth { return OAuth{Flow: "code", Store: "file"} }

// FindOAuth returns the [[oauth]] of a name, nil if there is none.
func (c *Config) FindOAuth(name string) *OAuth {
	if i := slices.IndexFunc(c.OAuth, func(o OAuth) bool { return o.Name == name }); i >= 0 && name != "" {
		return &c.OAuth[i]
	}
	return nil
}

// checkOAuth looks at all [[oauth]] sections, and at what refers to them.
func (c *Config) checkOAuth(p *problems) {
	if len(c.OAuth) > maxFetch {
		p.add("oauth", "has %d sections, at most %d", len(c.OAuth), maxFetch)
		return
	}
	taken := make(map[string]bool)
	for i := range c.OAuth {
		key, o := fmt.Sprintf("oauth[%d]", i), &c.OAuth[i]
		switch {
		case o.Name == "":
			p.add(key, `has no name, give it one like name = "google"`)
		case len(o.Name) > 64 || strings.ContainsFunc(o.Name, func(r rune) bool { return !bareKey(r) && r != '.' }):
			p.add(key+".name", `%s cannot be used, write letters, digits, ".", "-" and "_", at most 64`, show(o.Name))
		case taken[o.Name]:
			p.add(key+".name", "%s is taken already, each [[oauth]] has a name of its own", show(o.Name))
		}
		taken[o.Name] = true
		o.check(p, key)
	}
	for i := range c.Fetch {
		c.Fetch[i].checkOAuth(p, fmt.Sprintf("fetch[%d]", i), c)
		c.Fetch[i].checkGmail(p, fmt.Sprintf("fetch[%d]", i), c)
	}
}

// checkOAuth looks at the reference of a [[fetch]].
func (f *Fetch) checkOAuth(p *problems, key string, c *Config) {
	if f.OAuth == "" {
		return
	}
	if c.FindOAuth(f.OAuth) == nil {
		p.add(key+".oauth", "there is no [[oauth]] with the name %s, write one", show(f.OAuth))
	}
	if f.Password != "" {
		p.add(key+".password", "does not go with oauth, remove one of them")
	}
	if f.TLS == "none" {
		p.add(key+".tls", `"none" does not go with oauth: a token is never sent without TLS`)
	}
	for i, m := range f.Auth {
		if m != "OAUTHBEARER" && m != "XOAUTH2" {
			p.add(fmt.Sprintf("%s.auth[%d]", key, i), `%s does not go with oauth, write "OAUTHBEARER" or "XOAUTH2", or nothing`, show(m))
		}
	}
}

func (o *OAuth) check(p *problems, key string) {
	oneOf(p, key+".flow", o.Flow, "code", "device", "client", "command")
	oneOf(p, key+".store", o.Store, "file", "keyring")
	if o.Provider != "" {
		oneOf(p, key+".provider", o.Provider, "gmail", "outlook", "yahoo")
	}
	if o.ClientAuth != "" {
		oneOf(p, key+".client_auth", o.ClientAuth, "post", "basic")
	}
	if o.Flow == "command" {
		if words, err := argv.Split(o.Command); err != nil {
			p.add(key+".command", "%v", err)
		} else if len(words) == 0 {
			p.add(key, `has no command, which flow = "command" needs: name the program that prints a token`)
		}
		return
	}
	if o.Command != "" {
		p.add(key+".command", `is for flow = "command" only, remove it or set the flow`)
	}
	if o.ClientID == "" {
		p.add(key, "has no client_id, the provider gives one: docs/oauth.md says how")
	}
	if o.ClientSecret != "" {
		checkPassword(p, key, "client_secret", o.ClientSecret)
	} else if o.Flow == "client" {
		p.add(key, `has no client_secret, which flow = "client" needs: client_secret = "file:PATH"`)
	}
	if o.Key != "" {
		checkPassword(p, key, "key", o.Key)
		if o.Store == "keyring" {
			p.add(key+".key", `is for store = "file", remove it: the keyring seals by itself`)
		}
	}
	o.checkEndpoints(p, key)
	if o.Provider == "gmail" && o.Flow == "device" {
		p.warn(key+".flow", `Google gives no tokens for mail to devices: take flow = "code", and postamt fetch login --paste where there is no browser`)
	}
	if o.Provider == "outlook" && o.Flow == "client" && slices.Contains([]string{"", "common", "consumers", "organizations"}, o.Tenant) {
		p.add(key, `has no tenant, which flow = "client" needs: the directory's id or domain`)
	}
	for i, s := range o.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r < '!' || r > '~' || r == '"' || r == '\\' }) {
			p.add(fmt.Sprintf("%s.scopes[%d]", key, i), "%s is no scope, write one in each pair of quotes", show(s))
		}
	}
}

func (o *OAuth) checkEndpoints(p *problems, key string) {
	for name, address := range o.addresses() {
		if *address != "" && !secureURL(*address) {
			p.add(key+"."+name, `%s is no address of https, write one like "https://auth.example.org/token"`, show(*address))
		}
	}
	if o.Provider == "" && o.Issuer == "" && o.TokenURL == "" {
		p.add(key, `says nothing of the provider, write provider = "gmail" (or "outlook", "yahoo"), or issuer = "https://..."`)
	}
	if o.Provider == "" && o.Issuer == "" && o.Flow == "code" && o.AuthURL == "" && o.TokenURL != "" {
		p.add(key, "has no auth_url, the address where people sign in")
	}
	if o.Provider == "" && o.Issuer == "" && o.Flow == "device" && o.DeviceURL == "" && o.TokenURL != "" {
		p.add(key, "has no device_url, the address where codes are had")
	}
	if o.Tenant != "" && (o.Provider != "outlook" || strings.ContainsFunc(o.Tenant, func(r rune) bool { return !bareKey(r) && r != '.' })) {
		p.add(key+".tenant", `is the directory of provider = "outlook", its id or domain`)
	}
	if o.Redirect != "" && o.Redirect != "oob" {
		u, err := url.Parse(o.Redirect)
		if err != nil || u.Scheme != "http" || !thisMachine(u.Hostname()) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			p.add(key+".redirect", `%s cannot be used, write "http://127.0.0.1", "http://localhost:8123/path" or "oob"`, show(o.Redirect))
		}
	}
}

func (o *OAuth) addresses() map[string]*string {
	return map[string]*string{"issuer": &o.Issuer, "auth_url": &o.AuthURL, "token_url": &o.TokenURL, "device_url": &o.DeviceURL, "revoke_url": &o.RevokeURL}
}

// secureURL takes addresses of https, and of http on this very machine.
func secureURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" && (u.Scheme == "https" || u.Scheme == "http" && thisMachine(u.Hostname()))
}

func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// resolve makes the paths of an [[oauth]] absolute, as those of a [[fetch]] are.
func (o *OAuth) resolve(base, home string) error {
	f := Fetch{Name: o.Name, Password: o.ClientSecret, SMTPPassword: o.Key}
	if err := f.resolve(base, home); err != nil {
		return fmt.Errorf("oauth %s: client_secret or key: there is no home folder, write the whole path", o.Name)
	}
	o.ClientSecret, o.Key = f.Password, f.SMTPPassword
	return nil
}
