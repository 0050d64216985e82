package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

// A look is the examination of one port.
type look struct {
	*prober
	port   *Port
	quirks []string
}

func (l *look) quirk(id string) { l.quirks = append(l.quirks, id) }

func (l *look) run(ctx context.Context, opt PortOption) {
	l.port.Port, l.port.Protocol, l.port.Security = opt.Port, "pop3", opt.Security
	if opt.IMAP {
		l.port.Protocol = "imap"
	}
	if opt.Security == "" {
		l.port.Security = l.findSecurity(ctx, opt)
	}
	if l.port.Problem != "" {
		return
	}
	var err error
	switch {
	case opt.IMAP:
		err = l.imap(ctx)
	case l.port.Security == "tls":
		err = l.pop3s(ctx)
	default:
		err = l.pop3(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		l.port.Problem = sentence(err)
	}
}

// findSecurity finds out whether a port speaks TLS at once: the usual ports by their number, others by trying.
func (l *look) findSecurity(ctx context.Context, opt PortOption) string {
	switch opt.Port {
	case 995, 993:
		return "tls"
	case 110, 143:
		return "stls"
	}
	conn, err := l.connect(ctx)
	if err != nil {
		l.port.Problem = sentence(err)
		return ""
	}
	defer func() { _ = conn.Close() }()
	var trust error
	if _, err := handshake(conn, l.config(l.opt.Host, l.port.Protocol, &trust)); err != nil {
		return "stls"
	}
	return "tls"
}

// connect makes a connection that lives at most ConnectTimeout, or until ctx ends.
func (l *look) connect(ctx context.Context) (net.Conn, error) {
	dial, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	conn, err := l.opt.DialContext(dial, "tcp", l.address(l.port.Port))
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(ConnectTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	return conn, conn.SetDeadline(end)
}

// pop3s looks at a port with TLS from the first octet.
func (l *look) pop3s(ctx context.Context) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var trust error
	secure, err := handshake(conn, l.config(l.opt.Host, pop3.ALPN, &trust))
	if err != nil {
		return &pop3client.ConnError{Op: "TLS", Err: err}
	}
	state := secure.ConnectionState()
	l.port.TLS = describe(&state, trust, l.opt.Now())
	capa, err := l.raw(ctx, secure)
	if err != nil {
		return err
	}
	l.announced(capa)
	return l.secure(ctx, pop3client.TLS)
}

// pop3 looks at a port that begins in the clear.
func (l *look) pop3(ctx context.Context) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	before, err := l.raw(ctx, conn)
	if err != nil {
		return err
	}
	l.port.Clear = lines(before)
	if before.Has(pop3.CapUser) || slices.ContainsFunc(before.SASL(), showsPassword) {
		l.quirk("cleartext")
	}
	return l.secure(ctx, pop3client.STLS)
}

func showsPassword(mech string) bool { return mech == "PLAIN" || mech == "LOGIN" }

// raw reads greeting and capabilities, and looks at the octets in which they come.
func (l *look) raw(ctx context.Context, conn net.Conn) (pop3.Capabilities, error) {
	seen := &recorder{Conn: conn}
	client, err := pop3client.NewClient(ctx, seen, l.opt.Host, l.options(pop3client.Clear))
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	l.port.Greeting = plain(client.Greeting())
	l.port.APOP = hasTimestamp(client.Greeting())
	capa, err := client.Capa(ctx)
	if errors.Is(err, pop3client.ErrNoCapa) {
		l.quirk("no-capa")
	} else if err != nil {
		return nil, err
	}
	l.quirks = append(l.quirks, seen.quirks()...)
	if capa.Has(pop3.CapPipelining) {
		l.port.Pipelining = PipeliningBroken
		if together(conn) {
			l.port.Pipelining = PipeliningWorks
		} else {
			l.quirk("pipelining-broken")
			return capa, nil // nobody knows what it would say to QUIT
		}
	} else {
		l.port.Pipelining = PipeliningNone
	}
	_ = client.Quit(ctx) // what it says to that changes nothing
	return capa, nil
}

func (l *look) options(s pop3client.Security) *pop3client.Options {
	return &pop3client.Options{
		Security: s, RootCAs: l.opt.RootCAs, Pins: l.opt.Pins, PinsOnly: true, DialContext: l.opt.DialContext,
		ConnectTimeout: ConnectTimeout, Timeout: ConnectTimeout, QuitTimeout: ConnectTimeout, MaxListing: maxListing,
	}
}

// announced takes over the list under TLS.
func (l *look) announced(capa pop3.Capabilities) {
	l.port.Capabilities = lines(capa)
	l.port.Mechanisms = nil
	for _, m := range capa.SASL() {
		l.port.Mechanisms = append(l.port.Mechanisms, plain(m))
	}
	if capa.Has(pop3.CapUser) {
		l.port.Mechanisms = append(l.port.Mechanisms, pop3.CapUser)
	}
	if c, ok := capa.Get(pop3.CapImplementation); ok {
		l.port.Implementation = plain(strings.Join(c.Params, " "))
	}
	if _, _, ok := capa.LoginDelay(); ok {
		l.quirk("login-delay")
	}
	if days, _, ok := capa.Expire(); ok && days == 0 {
		l.quirk("expire-0")
	} else if ok && days != pop3.Never {
		l.quirk("expire")
	}
}

// maxTried is how many mechanisms are tried: servers hang up after a few failed sign-ins, and remember them.
const maxTried = 3

// secure connects as fetching does, whatever the certificate is, and takes over what is announced then.
func (l *look) secure(ctx context.Context, security pop3client.Security) error {
	opt := l.options(security)
	var trust error
	opt.Pins, opt.PinsOnly = nil, false
	opt.VerifyServer = func(state tls.ConnectionState, _ error) error {
		trust = l.verify(&state, l.opt.Host)
		return nil // no secret goes over this connection
	}
	client, err := pop3client.Dial(ctx, l.address(l.port.Port), opt)
	if errors.Is(err, pop3client.ErrNoSTLS) {
		l.quirk("no-stls")
		l.port.Security = "none"
	}
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if l.port.TLS == nil {
		l.port.TLS = describe(client.TLS(), trust, l.opt.Now())
	}
	capa, err := client.Capa(ctx)
	if err != nil && !errors.Is(err, pop3client.ErrNoCapa) {
		return err
	}
	l.announced(capa)
	if l.opt.Mechanisms && !l.try(ctx, client, capa) {
		return nil // the session is over; the port has shown what it can do
	}
	_ = client.Quit(ctx)
	return nil
}

// try begins to sign in with some of the mechanisms, and reports whether the session goes on.
func (l *look) try(ctx context.Context, client *pop3client.Client, capa pop3.Capabilities) bool {
	tried := 0
	for _, name := range []string{"PLAIN", "SCRAM-SHA-256", "LOGIN", "SCRAM-SHA-1", "CRAM-MD5"} {
		if tried == maxTried || !capa.HasSASL(name) {
			continue
		}
		tried++
		err := client.Auth(ctx, beginning(name))
		refused, isRefusal := errors.AsType[*pop3.Error](err)
		switch {
		case errors.Is(err, errBegun):
		case isRefusal && !pop3.IsTemporary(refused):
			l.quirk("mechanism-refused")
		case errors.Is(err, io.ErrUnexpectedEOF):
			l.quirk("hangs-up")
		}
		if errors.Is(err, pop3client.ErrClosed) || !isRefusal && !errors.Is(err, errBegun) {
			return false
		}
	}
	return true
}

// A beginning is a mechanism that gives up at the server's first challenge.
type beginning string

var errBegun = errors.New("the server knows the mechanism")

func (b beginning) Start() (string, []byte, error) { return string(b), nil, nil }
func (b beginning) Next([]byte) ([]byte, error)    { return nil, errBegun }

// lines returns a capability list as it can be shown.
func lines(capa pop3.Capabilities) []string {
	const most = 100
	list := make([]string, 0, min(len(capa), most))
	for _, c := range capa[:min(len(capa), most)] {
		list = append(list, plain(c.String()))
	}
	return list
}

// hasTimestamp tells whether a greeting has what APOP needs (RFC 1939 §7).
func hasTimestamp(greeting string) bool {
	_, rest, ok := strings.Cut(greeting, "<")
	inside, _, closed := strings.Cut(rest, ">")
	return ok && closed && strings.Contains(inside, "@") && !strings.ContainsAny(inside, " <")
}

// sentence makes of an error what can be shown.
func sentence(err error) string {
	var ne net.Error
	switch {
	case errors.Is(err, pop3client.ErrNoSTLS):
		return "offers no TLS"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, pop3client.ErrTimeout), errors.As(err, &ne) && ne.Timeout():
		return "did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "hung up"
	}
	var de *net.DNSError
	if errors.As(err, &de) && de.IsNotFound {
		return "there is no host with this name"
	}
	return plain(strings.TrimPrefix(err.Error(), "pop3client: "))
}
