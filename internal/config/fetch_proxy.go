package config

import "net/url"

// checkProxy checks the way to the server. What stands there may have a password in it, so it is not shown.
func (f *Fetch) checkProxy(p *problems, key string) {
	const example = `write "socks5://HOST:PORT" or "http://HOST:PORT", with USER@ before HOST if it wants a sign-in`
	if f.Proxy == "" {
		if f.ProxyPassword != "" {
			p.add(key+".proxy_password", "has no proxy that it is for, set proxy or remove it")
		}
		return
	}
	u, err := url.Parse(f.Proxy)
	if err != nil || u.Scheme != "socks5" && u.Scheme != "http" || !validPort(u.Host) ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil && u.User.Username() == "" {
		p.add(key+".proxy", "is not a proxy, %s", example)
		return
	}
	_, has := u.User.Password()
	switch user := u.User.Username(); {
	case has:
		p.add(key+".proxy", `has a password in it, which must not stand in this file: set proxy_password = "file:PATH"`)
	case user != "" && f.ProxyPassword == "":
		p.add(key+".proxy", `has a user, but there is no proxy_password`)
	case user == "" && f.ProxyPassword != "":
		p.add(key+".proxy_password", `has no user in proxy that it is for, write "%s://USER@%s"`, u.Scheme, u.Host)
	case user != "":
		checkPassword(p, key, "proxy_password", f.ProxyPassword)
		if !loopback(u.Host) {
			p.warn(key+".proxy", "everybody on the way to %s can read the password for it: proxies are asked in the clear", u.Host)
		}
	}
}

// ProxyUser returns who signs in to the proxy, and its host; both are empty without a user. The configuration was checked.
func (f *Fetch) ProxyUser() (user, host string) {
	u, err := url.Parse(f.Proxy)
	if err != nil || u.User == nil {
		return "", ""
	}
	return u.User.Username(), u.Hostname()
}
