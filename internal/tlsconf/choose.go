package tlsconf

import (
	"crypto/tls"
	"strings"
)

// certificate is one loaded pair.
type certificate struct {
	tls  tls.Certificate
	info Info
}

// set is an immutable set of certificates, at least one.
type set struct {
	all    []*certificate
	byName map[string][]*certificate // exact names, and "*.example.org" as it stands
}

func newSet(all []*certificate) *set {
	s := &set{all: all, byName: make(map[string][]*certificate)}
	for _, cert := range all {
		// The Common Name does not count (RFC 9525 §2).
		for _, name := range cert.tls.Leaf.DNSNames {
			name = strings.ToLower(name)
			s.byName[name] = append(s.byName[name], cert)
		}
	}
	return s
}

// choose returns the certificate for a client: one with the name it asks for, else one with a wildcard for it, else the
// first of all. Among several it takes the first whose kind of key the client can verify.
func (s *set) choose(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	candidates := s.byName[name]
	if len(candidates) == 0 {
		if _, parent, ok := strings.Cut(name, "."); ok { // a wildcard stands for one label (RFC 9525 §6.3)
			candidates = s.byName["*."+parent]
		}
	}
	if len(candidates) == 0 {
		candidates = s.all
	}
	if len(candidates) > 1 {
		// SupportsCertificate would also look at the name. Nobody has one that fits if we are down to all of them.
		kind := *hello
		kind.ServerName = ""
		for _, cert := range candidates {
			if kind.SupportsCertificate(&cert.tls) == nil {
				return &cert.tls
			}
		}
	}
	return &candidates[0].tls
}
