package probe

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

const (
	// maxListing bounds the listings that are looked at, in octets: those of about a million messages.
	maxListing = 32 << 20
	// maxWhole is the largest message that is read to compare its size, in octets.
	maxWhole = 256 << 10
	// allLines is more lines than such a message has.
	allLines = maxWhole
	// sendTogether is how many commands are sent together.
	sendTogether = 4
)

// signIn looks at the mailbox, at the best port whose certificate is trusted.
func (p *prober) signIn(ctx context.Context) {
	m := &Mailbox{User: p.opt.User}
	p.report.Mailbox = m
	best := p.report.Best()
	switch {
	case best == nil:
		m.Problem = "not signed in: no port has TLS"
		return
	case !best.TLS.Trusted:
		m.Problem = "not signed in: the certificate is not trusted, and a password goes to nobody unknown"
		return
	}
	m.Port = best.Port
	l := &look{prober: p, port: best}
	if err := l.mailbox(ctx, m); err != nil {
		m.Problem, m.Err = sentence(err), err
	}
	for _, id := range l.quirks {
		p.report.quirk(id)
	}
}

func (l *look) mailbox(ctx context.Context, m *Mailbox) error {
	password, err := l.opt.Password(ctx)
	if err != nil {
		return err
	}
	security := pop3client.TLS
	if l.port.Security == "stls" {
		security = pop3client.STLS
	}
	opt := l.options(security) // it verifies the certificate
	opt.PinsOnly = len(l.opt.Pins) > 0
	opt.Trace = func(sent bool, line string) {
		if name := mechanism(line); sent && name != "" {
			m.Mechanism = name
		}
	}
	client, err := pop3client.Dial(ctx, l.address(l.port.Port), opt)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	before, err := client.Capa(ctx)
	if err != nil && !errors.Is(err, pop3client.ErrNoCapa) {
		return err
	}
	if err := client.Login(ctx, l.opt.User, password); err != nil {
		return err
	}
	m.SignedIn = true
	capa, err := client.Capa(ctx)
	if err != nil && !errors.Is(err, pop3client.ErrNoCapa) {
		return err
	}
	m.Capabilities = lines(capa)
	if slices.ContainsFunc(capa, func(c pop3.Capability) bool { return !before.Has(c.Name) && c.Name != pop3.CapImplementation }) {
		l.quirk("capa-after")
	}
	l.mailboxCapa(m, capa)
	if err := l.commands(ctx, client, m, capa); err != nil {
		return err
	}
	if days := m.ExpireDays; days != nil && *days == 0 {
		return client.Close() // no QUIT: what was looked at stays there
	}
	return client.Quit(ctx)
}

func (l *look) mailboxCapa(m *Mailbox, capa pop3.Capabilities) {
	if delay, _, ok := capa.LoginDelay(); ok {
		m.LoginDelay = int(delay.Seconds())
		l.quirk("login-delay")
	}
	if days, _, ok := capa.Expire(); ok && days != pop3.Never {
		m.ExpireDays = &days
		if days == 0 {
			l.quirk("expire-0")
		} else {
			l.quirk("expire")
		}
	}
	if c, ok := capa.Get(pop3.CapImplementation); ok {
		m.Implementation = plain(strings.Join(c.Params, " "))
	}
}

// mechanism returns the way to sign in of a line that was sent.
func mechanism(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "AUTH":
		name, _, _ := strings.Cut(rest, " ")
		return name
	case "USER", "APOP":
		return verb
	}
	return ""
}

// commands tries what fetching needs. Refusals are facts, other errors end it.
func (l *look) commands(ctx context.Context, client *pop3client.Client, m *Mailbox, capa pop3.Capabilities) error {
	var err error
	if m.Messages, m.Octets, err = client.Stat(ctx); err != nil {
		return err
	}
	var sizes []pop3client.Scan
	total := int64(0)
	for s, err := range client.List(ctx) {
		if err != nil {
			return err
		}
		sizes = append(sizes, s)
		total += s.Size
	}
	if len(sizes) == m.Messages && total != m.Octets {
		l.quirk("size-wrong")
	}
	if m.UIDL, err = l.uidl(ctx, client); err != nil {
		return err
	}
	if m.UIDL && !capa.Has(pop3.CapUIDL) && len(capa) > 0 {
		l.quirk("capa-incomplete")
	}
	if len(sizes) > 0 {
		works, err := l.top(ctx, client, sizes, m.ExpireDays != nil && *m.ExpireDays == 0)
		if err != nil {
			return err
		}
		if m.TOP = &works; works && !capa.Has(pop3.CapTop) && len(capa) > 0 {
			l.quirk("capa-incomplete")
		}
	}
	return l.pipelining(ctx, client, m, capa, sizes)
}

func (l *look) uidl(ctx context.Context, client *pop3client.Client) (bool, error) {
	seen := map[string]bool{}
	for u, err := range client.UIDs(ctx) {
		if _, refused := errors.AsType[*pop3.Error](err); refused {
			l.quirk("no-uidl")
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !pop3.ValidUID(u.UID) || seen[u.UID] {
			l.quirk("uid-odd")
		}
		seen[u.UID] = true
	}
	return true, nil
}

// top reads the smallest message by TOP, whole if it is small: unlike RETR, that marks it nowhere as read. A server that
// may remove what was read is asked for the header only.
func (l *look) top(ctx context.Context, client *pop3client.Client, sizes []pop3client.Scan, header bool) (bool, error) {
	smallest := sizes[0]
	for _, s := range sizes {
		if s.Size >= 0 && s.Size < smallest.Size {
			smallest = s
		}
	}
	count, whole := 0, smallest.Size <= maxWhole && !header
	if whole {
		count = allLines
	}
	msg, err := client.Top(ctx, smallest.Num, count)
	if _, refused := errors.AsType[*pop3.Error](err); refused {
		l.quirk("no-top")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !whole {
		_, err := io.Copy(io.Discard, io.LimitReader(msg, maxWhole))
		return true, errors.Join(err, msg.Close())
	}
	n, err := io.Copy(io.Discard, msg)
	if err == nil && n != smallest.Size {
		l.quirk("size-wrong")
	}
	return true, err
}

// pipelining sends some commands together, in the way in which fetching does: TOP of a header, or of nothing.
func (l *look) pipelining(ctx context.Context, client *pop3client.Client, m *Mailbox, capa pop3.Capabilities, sizes []pop3client.Scan) error {
	m.Pipelining = PipeliningNone
	if !capa.Has(pop3.CapPipelining) {
		return nil
	}
	num := 1 // there is no such message, and saying so is an answer
	if len(sizes) > 0 {
		num = sizes[0].Num
	}
	answers := 0
	for r, err := range client.Batch(ctx, slices.Values(slices.Repeat([]pop3client.Op{{Verb: pop3client.TOP, Num: num, Size: 1024}}, sendTogether))) {
		_, refused := errors.AsType[*pop3.Error](err)
		switch {
		case refused:
		case err == nil:
			_, err = io.Copy(io.Discard, r.Message)
		}
		if err != nil && !refused {
			m.Pipelining = PipeliningBroken
			l.quirk("pipelining-broken")
			return err
		}
		answers++
	}
	if answers == sendTogether {
		m.Pipelining = PipeliningWorks
	}
	return nil
}
