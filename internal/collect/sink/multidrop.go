package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/postamt/postamt/internal/collect"
)

// A Multidrop splits one mailbox for many people: each message goes to those whom its envelope names. The envelope is
// what the source knows of it (collect.Letter.Recipients) or a header field that the provider's server wrote. The fields
// To and Cc are not the envelope: mail from a list does not name its reader there.
//
// A message that some recipients have and others could not get stays at the source, and those who have it do not get it
// again. Mail without a usable envelope, for nobody here, or that was here before, goes to Rest.
type Multidrop struct{ opt MultidropOptions }

var _ collect.Sink = (*Multidrop)(nil)

// MultidropOptions say where the envelope is and who is who.
type MultidropOptions struct {
	// Name is for people and the journal, behind "multidrop:".
	Name string
	// Header is the field that has the envelope's recipients, such as X-Original-To, Delivered-To or Envelope-To, or
	// Received for the "for" in it. Empty: only the source can know.
	Header string
	// Skip is how many fields of that name are above the right one.
	Skip int
	// Prefix is put before each address by the provider ("bob-" for Delivered-To: bob-alice@example.org) and taken off.
	Prefix string
	// Route returns the sink for an address, which must be safe, or ErrNoRoute. Sinks with the same Name are the same.
	Route func(ctx context.Context, address string) (collect.Sink, error)
	// Rest takes what has no recipient here. It must be safe. It is not closed.
	Rest collect.Sink
	// Loop is one word that no other multidrop has, such as "account@host". Each message gets it in an X-Loop field; one
	// that has it already goes to Rest.
	Loop string
}

// ErrNoRoute: nobody here has the address.
var ErrNoRoute = errors.New("sink: nobody here has this address")

const (
	// maxHops is after how many servers a message is taken for one that goes round in circles (RFC 5321 §6.3).
	maxHops = 100
	// loopField is what our mark is in.
	loopField = "X-Loop"
)

// NewMultidrop checks the options.
func NewMultidrop(opt MultidropOptions) (*Multidrop, error) {
	switch {
	case opt.Route == nil || opt.Rest == nil || !opt.Rest.Safe():
		return nil, errors.New("sink: a multidrop needs to know who is who, and a safe place for the rest")
	case !usable(opt.Loop):
		return nil, fmt.Errorf("sink: %q cannot be the mark of a multidrop, it must be one word", opt.Loop)
	case opt.Skip < 0:
		return nil, errors.New("sink: a multidrop cannot skip fewer than no fields")
	case slices.Contains([]string{"To", "Cc", "Bcc"}, textproto.CanonicalMIMEHeaderKey(opt.Header)):
		return nil, fmt.Errorf("sink: %s is not the envelope: name the field that your provider's server writes", opt.Header)
	}
	return &Multidrop{opt}, nil
}

// Name returns "multidrop:" and its name.
func (m *Multidrop) Name() string { return "multidrop:" + m.opt.Name }

// Safe returns true, for the sinks behind it are.
func (m *Multidrop) Safe() bool { return true }

// Close does nothing.
func (m *Multidrop) Close() error { return nil }

// Begin finds out for whom the message is and starts a delivery to each.
func (m *Multidrop) Begin(ctx context.Context, letter collect.Letter) (collect.Delivery, error) {
	to, err := m.route(ctx, letter)
	if err != nil {
		return nil, err
	}
	d := &multidropDelivery{}
	for _, s := range to {
		one := &share{}
		one.delivery, one.err = s.Begin(ctx, letter)
		d.to = append(d.to, one)
	}
	if _, err := fmt.Fprintf(d, "%s: %s\r\n", loopField, m.opt.Loop); err != nil {
		d.Abort()
		return nil, err
	}
	return d, nil
}

// route returns the sinks that get the message.
func (m *Multidrop) route(ctx context.Context, letter collect.Letter) ([]collect.Sink, error) {
	rest := []collect.Sink{m.opt.Rest}
	e := readEnvelope(letter.Header, m.opt)
	if e.looped {
		return rest, nil
	}
	recipients := letter.Recipients
	if len(recipients) == 0 {
		recipients = e.recipients
	}
	if len(recipients) > maxRecipients {
		return rest, nil
	}
	var to []collect.Sink
	for _, address := range recipients {
		s, err := m.opt.Route(ctx, strings.TrimPrefix(address, m.opt.Prefix))
		if errors.Is(err, ErrNoRoute) {
			s = m.opt.Rest
		} else if err != nil {
			return nil, temporary(fmt.Errorf("%s: %w", m.Name(), err))
		}
		if !slices.ContainsFunc(to, func(have collect.Sink) bool { return have.Name() == s.Name() }) {
			to = append(to, s)
		}
	}
	if len(to) == 0 {
		return rest, nil
	}
	return to, nil
}

// An envelope is what the header tells of it.
type envelope struct {
	recipients []string
	looped     bool
}

func readEnvelope(header []byte, opt MultidropOptions) (e envelope) {
	hops, skip, found := 0, opt.Skip, false
	for name, value := range fields(header) {
		if strings.EqualFold(name, "Received") {
			if hops++; hops > maxHops {
				e.looped = true
			}
		}
		if strings.EqualFold(name, loopField) && value == opt.Loop {
			e.looped = true
		}
		if found || opt.Header == "" || !strings.EqualFold(name, opt.Header) {
			continue
		}
		addresses := addressesIn(name, value)
		if len(addresses) == 0 {
			continue // a Received without "for"
		}
		if skip--; skip < 0 {
			e.recipients, found = addresses, true
		}
	}
	return e
}

// fields goes through the fields of a header, unfolded (RFC 5322 §2.2.3).
func fields(header []byte) func(yield func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		var name string
		var value []byte
		flush := func() bool {
			n := name
			name = ""
			return n == "" || yield(n, string(bytes.TrimSpace(value)))
		}
		for line := range bytes.Lines(header) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
				value = append(append(value, ' '), bytes.TrimSpace(line)...)
				continue
			}
			if !flush() {
				return
			}
			before, after, ok := bytes.Cut(line, []byte(":"))
			if len(line) == 0 {
				return
			}
			if ok {
				name, value = string(bytes.TrimSpace(before)), append(value[:0], after...)
			}
		}
		flush()
	}
}

// addressesIn returns the addresses of a field: a list with commas, with or without <>, or what is behind "for" in a
// Received field (RFC 5321 §4.4). Of too many it returns the first ones, too many still.
func addressesIn(name, value string) []string {
	if strings.EqualFold(name, "Received") {
		value = receivedFor(value)
	}
	var all []string
	for a := range strings.SplitSeq(value, ",") {
		if len(all) > maxRecipients {
			break
		}
		a = strings.TrimSpace(a)
		if i := strings.LastIndexByte(a, '<'); i >= 0 {
			a, _, _ = strings.Cut(a[i+1:], ">")
		}
		if usable(a) && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// receivedFor returns the address behind "for". What stands before "by", and in parentheses, is what the other side calls
// itself: it may say "for" as well.
func receivedFor(value string) string {
	var plain strings.Builder
	depth := 0
	for _, c := range value {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
			plain.WriteByte(' ')
		case depth == 0:
			plain.WriteRune(c)
		}
	}
	clauses, _, _ := strings.Cut(plain.String(), ";")
	words := strings.Fields(clauses)
	for _, want := range []string{"by", "for"} {
		i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, want) })
		if i < 0 {
			return ""
		}
		words = words[i+1:]
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// A share is the delivery to one of the recipients.
type share struct {
	delivery collect.Delivery
	err      error // why it failed
}

type multidropDelivery struct {
	to    []*share
	ended bool
}

// Write fails only when nobody is left who could get the message.
func (d *multidropDelivery) Write(p []byte) (int, error) {
	if d.ended {
		return 0, errEnded
	}
	for _, s := range d.to {
		if s.err != nil {
			continue
		}
		if _, s.err = s.delivery.Write(p); s.err != nil {
			s.delivery.Abort()
		}
	}
	if !slices.ContainsFunc(d.to, func(s *share) bool { return s.err == nil }) {
		return 0, d.failure()
	}
	return len(p), nil
}

// Commit gives the message to all. Where it fails for one, the next try finds that the others have it.
func (d *multidropDelivery) Commit(ctx context.Context) error {
	if d.ended {
		return errEnded
	}
	d.ended = true
	for _, s := range d.to {
		if s.err != nil {
			continue
		}
		if s.err = s.delivery.Commit(ctx); s.err != nil {
			s.delivery.Abort()
		}
	}
	return d.failure()
}

func (d *multidropDelivery) failure() error {
	var errs []error
	for _, s := range d.to {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

func (d *multidropDelivery) Abort() {
	if d.ended {
		return
	}
	d.ended = true
	for _, s := range d.to {
		if s.err == nil {
			s.delivery.Abort()
		}
	}
}
