package probe

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// Bounds.
const (
	// Timeout is how long Run takes at most, unless Options say otherwise.
	Timeout = time.Minute
	// ConnectTimeout bounds connecting with the handshake and the greeting, and each command after it.
	ConnectTimeout = 15 * time.Second
)

// Options are where to look and how.
type Options struct {
	// Host is a name or an IP address. It is the name that the certificate must have.
	Host string
	// Ports are those to look at. Default: 995 and 110.
	Ports []PortOption
	// User and Password, if both are set, sign in at the best port.
	User     string
	Password func(ctx context.Context) (string, error)
	// Mechanisms tries whether the mechanisms that are announced are there, by beginning a sign-in and giving it up. Servers
	// count that as failed sign-ins, and may lock addresses out that have many.
	Mechanisms bool
	// RootCAs vouch for the server. Default: the system's. With Pins, one of these keys is enough.
	RootCAs *x509.CertPool
	Pins    []pop3client.Pin
	// DialContext makes the connections. Default: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout bounds everything together. Default: Timeout.
	Timeout time.Duration
	// Now is the clock by which certificates are judged. Default: time.Now.
	Now func() time.Time
}

// A PortOption is a port to look at.
type PortOption struct {
	Port int
	IMAP bool
	// Security is "tls", "stls", or empty to find out: by the number of the port, or by trying.
	Security string
}

// Usual are the ports of POP3, and with imap those of IMAP, too.
func Usual(imap bool) []PortOption {
	ports := []PortOption{{Port: 995, Security: "tls"}, {Port: 110, Security: "stls"}}
	if imap {
		ports = append(ports, PortOption{Port: 993, IMAP: true, Security: "tls"}, PortOption{Port: 143, IMAP: true, Security: "stls"})
	}
	return ports
}

// maxPorts is how many ports are looked at in one Run.
const maxPorts = 8

type prober struct {
	opt    Options
	report Report
}

// ErrPorts: too many ports are to be looked at.
var ErrPorts = errors.New("too many ports to look at")

// Run looks at a server. Servers that are away or broken are no error but part of the report.
func Run(ctx context.Context, opt Options) (*Report, error) {
	if len(opt.Ports) == 0 {
		opt.Ports = Usual(false)
	}
	if len(opt.Ports) > maxPorts {
		return nil, ErrPorts
	}
	if opt.Timeout == 0 {
		opt.Timeout = Timeout
	}
	if opt.DialContext == nil {
		opt.DialContext = new(net.Dialer).DialContext
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, opt.Timeout)
	defer cancel()
	p := &prober{opt: opt, report: Report{Host: opt.Host, Quirks: []Quirk{}}}
	p.report.Ports = make([]Port, len(opt.Ports))
	noticed := make([][]string, len(opt.Ports))
	var wg sync.WaitGroup
	for i, port := range opt.Ports {
		wg.Go(func() {
			look := &look{prober: p, port: &p.report.Ports[i]}
			look.run(ctx, port)
			noticed[i] = look.quirks
		})
	}
	wg.Wait()
	for _, id := range slices.Concat(noticed...) {
		p.report.quirk(id)
	}
	if opt.User != "" && opt.Password != nil {
		p.signIn(ctx)
	}
	slices.SortFunc(p.report.Quirks, func(a, b Quirk) int { return cmp.Compare(a.ID, b.ID) })
	return &p.report, nil
}

func (p *prober) address(port int) string { return net.JoinHostPort(p.opt.Host, strconv.Itoa(port)) }
