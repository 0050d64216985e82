package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Check looks at every value and returns what is wrong and what is unwise. It does not touch the disk.
func (c *Config) Check() (wrong, unwise []Problem) {
	p := new(problems)
	c.check(p)
	return p.errors, p.warnings
}

func (c *Config) check(p *problems) {
	checkData(p, c.Data)
	if c.Hostname != "" && !validHost(c.Hostname) {
		p.add("hostname", `%s is not a host name, write one like "mail.example.org"`, show(c.Hostname))
	}
	checkDomains(p, c.Domains)
	taken := make(map[string]string)
	c.POP3.check(p, taken)
	c.LMTP.check(p, taken)
	c.TLS.check(p)
	c.SignIn.check(p)
	c.Limits.check(p)
	c.Store.check(p)
	c.Collector.check(p)
	checkFetches(p, c.Fetch)
	c.checkOAuth(p)
	for i := range c.Fetch {
		c.Fetch[i].checkIMAP(p, fmt.Sprintf("fetch[%d]", i), c)
	}
	oneOf(p, "log.format", c.Log.Format, "text", "json")
	oneOf(p, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	if c.Metrics.Listen != "" && checkTCP(p, taken, "metrics.listen", c.Metrics.Listen) && !loopback(c.Metrics.Listen) {
		p.warn("metrics.listen", "%s can be reached from other machines, and the page asks for no password: keep it on 127.0.0.1 or behind a firewall", c.Metrics.Listen)
	}
}

func (c *POP3) check(p *problems, taken map[string]string) {
	for i, a := range c.Listen {
		checkTCP(p, taken, fmt.Sprintf("pop3.listen[%d]", i), a)
	}
	for i, a := range c.ListenTLS {
		checkTCP(p, taken, fmt.Sprintf("pop3.listen_tls[%d]", i), a)
	}
	oneOf(p, "pop3.cleartext", c.Cleartext, "loopback", "never", "always")
	if c.Cleartext == "always" {
		p.warn("pop3.cleartext", `"always" lets passwords cross the network unprotected, prefer "loopback" and TLS`)
	}
	if c.IdleTimeout < Duration(10*time.Minute) {
		p.add("pop3.idle_timeout", "%v is too short, RFC 1939 asks for at least 10m", c.IdleTimeout)
	}
	if c.IdleTimeout > Duration(24*time.Hour) {
		p.add("pop3.idle_timeout", "%v is too long, at most 1d: an idle session keeps its maildrop locked", c.IdleTimeout)
	}
}

func (c *LMTP) check(p *problems, taken map[string]string) {
	for i, a := range c.Listen {
		key := fmt.Sprintf("lmtp.listen[%d]", i)
		if network, path := SplitAddress(a); network == "unix" {
			if path == "" || path[0] == '@' || strings.ContainsRune(path, 0) {
				p.add(key, `%s names no file, write "unix:lmtp.sock" or "unix:/run/postamt/lmtp.sock"`, show(a))
			} else {
				once(p, taken, key, a)
			}
			continue
		}
		if checkTCP(p, taken, key, a) && !loopback(a) {
			p.warn(key, "%s can be reached from other machines, and LMTP asks for no password: anybody there can hand in mail", a)
		}
	}
	if mode, err := strconv.ParseUint(c.SocketMode, 8, 32); err != nil || mode > 0o777 {
		p.add("lmtp.socket_mode", `%s is not an octal file mode, write one like "0660"`, show(c.SocketMode))
	}
	between(p, "lmtp.max_message", c.MaxMessage, 64<<10, 16<<30, "RFC 5321 asks for at least 64KiB")
	if d := c.RecipientDelimiter; d != "" && (len(d) != 1 || !strings.Contains("+-_=#%!~^*/|?&$", d)) {
		p.add("lmtp.recipient_delimiter", `%s cannot be used, write one sign like "+" or "-", or "" for none`, show(d))
	}
}

func (c *TLS) check(p *problems) {
	for i, pair := range c.Certificates {
		key := fmt.Sprintf("tls.certificates[%d]", i)
		if pair.Cert == "" {
			p.add(key, "has no cert, name the file of the certificate chain")
		}
		if pair.Key == "" {
			p.add(key, "has no key, name the file of the private key")
		}
	}
	oneOf(p, "tls.min_version", c.MinVersion, "1.2", "1.3")
}

func (c *SignIn) check(p *problems) {
	between(p, "sign_in.argon2_memory", c.Argon2Memory, 7<<20, 1<<30, "less makes guessing cheap, more makes each sign-in a burden")
	between(p, "sign_in.argon2_passes", c.Argon2Passes, 1, 20, "")
	between(p, "sign_in.argon2_concurrency", c.Argon2Concurrency, 0, 1024, "")
	between(p, "sign_in.remember", c.Remember, 0, Duration(24*time.Hour), "")
	between(p, "sign_in.scram_iterations", c.SCRAMIterations, 4096, 1_000_000, "RFC 5802 asks for at least 4096, and clients pay for each")
	between(p, "sign_in.free_failures_per_address", c.FreeFailuresPerAddress, 1, 100_000, "")
	between(p, "sign_in.free_failures_per_account", c.FreeFailuresPerAccount, 1, 100_000, "")
	between(p, "sign_in.max_delay", c.MaxDelay, Duration(time.Second), Duration(time.Hour), "a long one locks out the owner, too")
}

func (c *Limits) check(p *problems) {
	between(p, "limits.connections", c.Connections, 1, 1_000_000, "")
	between(p, "limits.connections_per_address", c.ConnectionsPerAddress, 1, 1_000_000, "")
	between(p, "limits.connections_per_account", c.ConnectionsPerAccount, 1, 1_000_000, "")
	between(p, "limits.octets_before_sign_in", c.OctetsBeforeSignIn, 4<<10, 16<<20, "an exchange of SASL must fit in")
	between(p, "limits.bad_commands", c.BadCommands, 1, 10_000, "")
	between(p, "limits.handshake_timeout", c.HandshakeTimeout, Duration(time.Second), Duration(5*time.Minute), "")
	between(p, "limits.write_timeout", c.WriteTimeout, Duration(5*time.Second), Duration(time.Hour), "")
	between(p, "limits.lmtp_connections", c.LMTPConnections, 1, 100_000, "")
}

func (c *Store) check(p *problems) {
	between(p, "store.undelete_window", c.UndeleteWindow, 0, Duration(3650*24*time.Hour), "")
	between(p, "store.sweep_interval", c.SweepInterval, Duration(time.Minute), Duration(7*24*time.Hour), "")
	between(p, "store.listing_cache", c.ListingCache, 1<<20, 64<<30, "")
}

func checkDomains(p *problems, domains []string) {
	seen := make(map[string]bool)
	for i, d := range domains {
		key := fmt.Sprintf("domains[%d]", i)
		bad := func(r rune) bool {
			return r <= ' ' || r == '@' || r == '/' || r == '"' || unicode.IsSpace(r) || !unicode.IsPrint(r)
		}
		switch lower := strings.ToLower(d); {
		case d == "" || len(d) > 255 || !utf8.ValidString(d) || strings.ContainsFunc(d, bad) || d[0] == '.' || d[len(d)-1] == '.':
			p.add(key, `%s is not a domain, write one like "example.org"`, show(d))
		case seen[lower]:
			p.add(key, "%s is listed twice, remove one", show(d))
		default:
			seen[lower] = true
		}
	}
}

// between refuses a value outside of lo to hi.
func between[T interface {
	cmp.Ordered
	int | Duration | Size
}](p *problems, key string, v, lo, hi T, why string) {
	if why != "" {
		why = ": " + why
	}
	if v < lo {
		p.add(key, "%v is too small, at least %v%s", v, lo, why)
	} else if v > hi {
		p.add(key, "%v is too large, at most %v%s", v, hi, why)
	}
}

func oneOf(p *problems, key, v string, values ...string) {
	if slices.Contains(values, v) {
		return
	}
	quoted := make([]string, len(values))
	for i, w := range values {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	p.add(key, "%s is not one of %s or %s", show(v), strings.Join(quoted[:last], ", "), quoted[last])
}

// checkTCP refuses what is not host:port, and an address used twice. Port 0 is any free one and can be used again.
func checkTCP(p *problems, taken map[string]string, key, a string) bool {
	host, port, err := net.SplitHostPort(a)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if _, ipErr := netip.ParseAddr(host); err != nil || portErr != nil || host != "" && ipErr != nil && !validHost(host) {
		p.add(key, `%s is not an address, write host:port, like "127.0.0.1:1110", "[::1]:1110" or ":110" for all addresses`, show(a))
		return false
	}
	return n == 0 || once(p, taken, key, a)
}

func once(p *problems, taken map[string]string, key, a string) bool {
	if first, ok := taken[a]; ok {
		p.add(key, "%s is taken by %s already, an address can be used once", show(a), first)
		return false
	}
	taken[a] = key
	return true
}

// loopback tells whether only this machine can reach a host:port.
func loopback(a string) bool {
	host, _, err := net.SplitHostPort(a)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// validHost takes host names of letters, digits and hyphens (RFC 1123 §2.1), and the underscores that people use.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !bareKey(r) }) {
			return false
		}
	}
	return true
}
