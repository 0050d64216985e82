package config

import (
	"slices"
	"strings"
)

// EnvelopeSDPS is the envelope of a [[fetch]] whose server knows the command *ENV.
const EnvelopeSDPS = "*ENV"

// checkMultidrop looks at what a multidrop needs.
func (f *Fetch) checkMultidrop(p *problems, key string) {
	wanted := slices.ContainsFunc(f.Destinations(), func(d Destination) bool { return d.Kind == ToMultidrop })
	between(p, key+".envelope_skip", f.EnvelopeSkip, 0, 100, "")
	switch {
	case !wanted:
		if f.Envelope != "" || f.EnvelopeSkip != 0 || f.EnvelopePrefix != "" {
			p.add(key, "has an envelope, but no multidrop: destination to use it")
		}
	case f.Envelope == "":
		p.add(key, `has a multidrop: destination, but no envelope: name the field with the recipients, like envelope = "X-Original-To"`)
	case f.Envelope == EnvelopeSDPS:
		if f.EnvelopeSkip != 0 {
			p.add(key+".envelope_skip", `does not go with envelope = "*ENV", remove it`)
		}
	case slices.ContainsFunc([]string{"To", "Cc", "Bcc"}, func(s string) bool { return strings.EqualFold(s, f.Envelope) }):
		p.add(key+".envelope", "%s is not the envelope, mail from lists names no reader there: take the field that the provider's server writes", show(f.Envelope))
	case strings.ContainsFunc(f.Envelope, func(r rune) bool { return !bareKey(r) }):
		p.add(key+".envelope", `%s is not the name of a field, write one like "X-Original-To" without its colon, or "*ENV"`, show(f.Envelope))
	}
	if strings.ContainsFunc(f.EnvelopePrefix, func(r rune) bool { return r <= ' ' || r > '~' }) {
		p.add(key+".envelope_prefix", "%s cannot begin an address", show(f.EnvelopePrefix))
	}
}
