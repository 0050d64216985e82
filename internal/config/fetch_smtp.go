package config

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// checkPins checks a list of public keys.
func checkPins(p *problems, key string, pins []string) {
	for i, pin := range pins {
		digest, ok := strings.CutPrefix(pin, "sha256/")
		if b, err := base64.StdEncoding.Strict().DecodeString(digest); !ok || err != nil || len(b) != 32 {
			p.add(fmt.Sprintf("%s[%d]", key, i), `%s is not a pin, it is "sha256/" and the base64 of 32 octets`, show(pin))
		}
	}
}

// checkSMTP checks whom smtp:// and smtps:// destinations trust.
func (f *Fetch) checkSMTP(p *problems, key string) {
	checkPins(p, key+".smtp_pins", f.SMTPPins)
	name := "smtp_pins"
	switch {
	case f.SMTPCA != "" && len(f.SMTPPins) > 0:
		p.add(key+".smtp_ca", "does not go with smtp_pins, of which one is enough: remove one of them")
		return
	case f.SMTPCA != "":
		name = "smtp_ca"
	case len(f.SMTPPins) == 0:
		return
	}
	if !slices.ContainsFunc(f.Destinations(), func(d Destination) bool { return d.Kind == ToSMTP || d.Kind == ToSMTPS }) {
		p.add(key+"."+name, "has no smtp:// or smtps:// destination that it is for, remove it")
	}
}
