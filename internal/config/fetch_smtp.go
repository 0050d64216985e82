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

// checkSinkTrust checks whom destinations on other servers trust.
func (f *Fetch) checkSinkTrust(p *problems, key string) {
	f.checkTrusted(p, key, ToSMTP, ToSMTPS, f.SMTPCA, f.SMTPPins)
	f.checkTrusted(p, key, ToIMAP, ToIMAPS, f.IMAPCA, f.IMAPPins)
}

// checkTrusted checks the keys of one protocol, whose destinations are of two kinds.
func (f *Fetch) checkTrusted(p *problems, key, kind, tlsKind, ca string, pins []string) {
	checkPins(p, key+"."+kind+"_pins", pins)
	name := kind + "_pins"
	switch {
	case ca != "" && len(pins) > 0:
		p.add(key+"."+kind+"_ca", "does not go with %s, of which one is enough: remove one of them", name)
		return
	case ca != "":
		name = kind + "_ca"
	case len(pins) == 0:
		return
	}
	if !slices.ContainsFunc(f.Destinations(), func(d Destination) bool { return d.Kind == kind || d.Kind == tlsKind }) {
		p.add(key+"."+name, "has no %s:// or %s:// destination that it is for, remove it", kind, tlsKind)
	}
}
