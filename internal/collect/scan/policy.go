package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postamt/postamt/internal/collect"
)

// An Action is what is done with a message in which something was found.
type Action uint8

// Actions.
const (
	// Tag delivers the message with header fields that say what was found.
	Tag Action = iota
	// Quarantine delivers it to the quarantine in place of its destinations, tagged.
	Quarantine
	// Leave leaves it on the server, for good.
	Leave
	// Drop deletes it on the server.
	Drop
)

// ParseAction reads "tag", "quarantine", "leave" or "drop".
func ParseAction(s string) (Action, error) {
	for i, name := range []string{"tag", "quarantine", "leave", "drop"} {
		if s == name {
			return Action(i), nil
		}
	}
	return 0, fmt.Errorf("scan: %q is not an action, write tag, quarantine, leave or drop", s)
}

func (a Action) verdict() collect.Verdict {
	switch a {
	case Quarantine:
		return collect.Quarantine
	case Leave:
		return collect.Leave
	case Drop:
		return collect.Discard
	default:
		return collect.Fetch
	}
}

// A Policy says who looks at messages and what follows.
type Policy struct {
	// Clamd looks for viruses, if not nil, and OnVirus follows.
	Clamd   *Clamd
	OnVirus Action
	// Rspamd looks for spam, if not nil. Of what it calls spam some is only probably so ("add header", "rewrite
	// subject"): that is tagged whatever OnSpam says. OnSpam follows on "reject".
	Rspamd *Rspamd
	OnSpam Action
	// DeliverUnscanned delivers what a scanner could not look at, because it is away or the message is too large for it,
	// with a header field that says so. Otherwise such messages stay where they are and are tried again.
	DeliverUnscanned bool
}

var _ collect.Scanner = (*Policy)(nil)

// Scan asks all scanners, clamd first.
func (p *Policy) Scan(ctx context.Context, letter collect.Letter, message *io.SectionReader) (collect.Finding, error) {
	var f collect.Finding
	if p.Clamd != nil {
		virus, err := p.Clamd.Scan(ctx, message)
		switch {
		case err != nil:
			if err := p.unscanned(ctx, &f, "X-Virus-Scanned", "clamd", err); err != nil {
				return collect.Finding{}, err
			}
		case virus != "":
			f.Fields += "X-Virus-Status: Infected (" + virus + ")\r\n"
			f.Verdict, f.Why = p.OnVirus.verdict(), "virus "+virus
			if p.OnVirus != Tag {
				return f, nil // a virus is worse than spam
			}
		default:
			f.Fields += "X-Virus-Status: Clean\r\n"
		}
	}
	if p.Rspamd == nil {
		return f, nil
	}
	if _, err := message.Seek(0, io.SeekStart); err != nil {
		return collect.Finding{}, err
	}
	spam, err := p.Rspamd.Scan(ctx, letter, message)
	if err != nil {
		if err := p.unscanned(ctx, &f, "X-Spam-Scanned", "rspamd", err); err != nil {
			return collect.Finding{}, err
		}
		return f, nil
	}
	f.Fields += spam.fields()
	if spam.Action == "reject" && p.OnSpam != Tag {
		f.Verdict = p.OnSpam.verdict()
		f.Why = strings.TrimPrefix(f.Why+", spam "+spam.summary(), ", ")
	}
	return f, nil
}

// unscanned decides about a message that a scanner could not look at.
func (p *Policy) unscanned(ctx context.Context, f *collect.Finding, field, who string, err error) error {
	if ctx.Err() != nil || !p.DeliverUnscanned {
		if errors.Is(err, ErrTooLarge) {
			return fmt.Errorf("%s: %w", who, err)
		}
		if ctx.Err() == nil && collect.Classify(err) == collect.Permanent {
			return err // it is not to be hidden in what may pass
		}
		return &collect.TemporaryError{Err: fmt.Errorf("%s: %w", who, err)}
	}
	why := "scanner away"
	if errors.Is(err, ErrTooLarge) {
		why = "message too large"
	}
	f.Fields += field + ": No (" + why + ")\r\n"
	return nil
}

// ErrTooLarge: the message is larger than the scanner takes.
var ErrTooLarge = errors.New("the message is larger than the scanner takes")

// word makes a name that came from a scanner fit for a header field.
func word(s string) string {
	const most = 100
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '(' || r == ')' {
			return '_'
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}
