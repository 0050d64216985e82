package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// maxRecords is how many records of one kind are looked at.
	maxRecords = 20
	// DNSTimeout bounds all questions about SRV records together, and that about MX.
	DNSTimeout = 10 * time.Second
)

// services are those of RFC 6186 §3, implicit TLS first: the domain's priorities choose among the servers of one service,
// and what protects the password better wins over them (RFC 8314 §4.5.2).
var services = []struct {
	name     string
	protocol Protocol
	tls      bool
}{
	{"pop3s", POP3, true},
	{"pop3", POP3, false},
	{"imaps", IMAP, true},
	{"imap", IMAP, false},
}

// records asks for the SRV records of the domain.
func (f *finder) records(ctx context.Context) []Candidate {
	ctx, cancel := context.WithTimeout(ctx, DNSTimeout)
	defer cancel()
	var found []Candidate
	domain := f.address.Domain
	for _, service := range services {
		where := "_" + service.name + "._tcp." + domain
		step := Step{Origin: FromSRV, Where: where}
		// The dot keeps the search list of the machine out. The answer comes ordered by priority and weight (RFC 2782).
		_, all, err := f.opt.Resolver.LookupSRV(ctx, service.name, "tcp", domain+".")
		switch {
		case len(all) > 0: // an error beside them is about names in others
		case err != nil:
			step.Problem = dnsProblem(err)
		default:
			step.Problem = "there is no record"
		}
		for _, r := range all[:min(len(all), maxRecords)] {
			if r.Target == "." {
				step.Problem = "says that there is no such service" // RFC 6186 §3.4
				continue
			}
			name, err := host(r.Target)
			if err != nil || r.Port == 0 {
				step.Problem = fmt.Sprintf("names %s, which cannot be", plain(r.Target))
				continue
			}
			c := Candidate{
				Protocol: service.protocol, Host: name, Port: int(r.Port), TLS: service.tls,
				Users:  []string{f.address.String(), f.address.Local}, // RFC 6186 §4
				Origin: FromSRV, Where: where,
			}
			if !within(name, domain) {
				c.Confirm = fmt.Sprintf("%s is not within %s, and the DNS that names it can be forged", name, domain)
			}
			Known(&c, f.address)
			found = append(found, c)
			step.Found++
		}
		if step.Found > 0 {
			step.Problem = ""
		}
		f.steps = append(f.steps, step)
	}
	return found
}

// mailDomains returns the domains of whoever runs the mail of the domain, by its first MX record: the base domain of that
// host, and before it the host without its first label, if that is another one.
func (f *finder) mailDomains(ctx context.Context) (mx string, domains []string) {
	ctx, cancel := context.WithTimeout(ctx, DNSTimeout)
	defer cancel()
	step := Step{Origin: FromMX, Where: "MX of " + f.address.Domain}
	defer func() { f.steps = append(f.steps, step) }()
	all, err := f.opt.Resolver.LookupMX(ctx, f.address.Domain+".")
	if len(all) == 0 {
		step.Problem = "there is no record"
		if err != nil {
			step.Problem = dnsProblem(err)
		}
		return "", nil
	}
	best := slices.MinFunc(all, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	if mx, err = host(best.Host); err != nil {
		step.Problem = "names no host"
		return "", nil
	}
	base := baseDomain(mx)
	if _, above, ok := strings.Cut(mx, "."); ok && within(above, base) && above != base {
		domains = append(domains, above)
	}
	domains = append(domains, base)
	domains = slices.DeleteFunc(domains, func(d string) bool { return d == f.address.Domain || d == "" })
	if len(domains) == 0 {
		step.Problem = mx + " belongs to the domain itself"
	} else {
		step.Problem = "only leads to " + mx + ", whose domain is asked next"
	}
	return mx, domains
}

func dnsProblem(err error) string {
	var de *net.DNSError
	if errors.As(err, &de) {
		switch {
		case de.IsNotFound:
			return "there is no record"
		case de.IsTimeout:
			return "the name server did not answer in time"
		}
		return plain(de.Err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the name server did not answer in time"
	}
	return plain(err.Error())
}
