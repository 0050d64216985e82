package probe

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/pop3/pop3client"
)

const (
	// maxChain is how many certificates of a server are shown.
	maxChain = 10
	// maxNames is how many names of a certificate are shown.
	maxNames = 100
)

// describe returns what there is to say about a connection. trust is why the certificate is not good, or nil.
func describe(state *tls.ConnectionState, trust error, now time.Time) *TLS {
	d := &TLS{
		Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite),
		KeyExchange: keyExchange(state.CurveID), PostQuantum: postQuantum(state.CurveID), Trusted: trust == nil,
	}
	if trust != nil {
		d.Problem = distrust(trust)
	}
	for i, cert := range state.PeerCertificates[:min(len(state.PeerCertificates), maxChain)] {
		if i == 0 {
			d.Names = names(cert)
			d.NotAfter, d.Pin = cert.NotAfter.UTC(), pop3client.PinOf(cert).String()
			d.DaysLeft = daysLeft(cert.NotAfter, now)
		}
		d.Chain = append(d.Chain, Certificate{
			Subject: plain(cert.Subject.String()), Issuer: plain(cert.Issuer.String()), NotAfter: cert.NotAfter.UTC(), Key: keyName(cert),
		})
	}
	return d
}

// daysLeft counts whole days, downwards: -1 means that it ended less than a day ago.
func daysLeft(end, now time.Time) int {
	const day = 24 * time.Hour
	left := end.Sub(now)
	if left < 0 {
		return -int((-left + day - 1) / day)
	}
	return int(left / day)
}

func names(cert *x509.Certificate) []string {
	all := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	all = all[:min(len(all), maxNames)]
	for i := range all {
		all[i] = plain(all[i])
	}
	return all
}

// keyExchange names a group; TLS 1.2 with RSA has none.
func keyExchange(id tls.CurveID) string {
	if id == 0 {
		return "none"
	}
	return strings.TrimPrefix(id.String(), "Curve")
}

func postQuantum(id tls.CurveID) bool {
	return id == tls.X25519MLKEM768 || id == tls.SecP256r1MLKEM768 || id == tls.SecP384r1MLKEM1024
}

func keyName(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return cert.PublicKeyAlgorithm.String()
}

// distrust says in one sentence why a certificate is not good.
func distrust(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		pin     *pop3client.PinError
	)
	switch {
	case errors.As(err, &pin):
		return "the key is not one of the pins that were given"
	case errors.As(err, &unknown):
		return "no authority that we trust vouches for it"
	case errors.As(err, &name):
		return "it is not for this name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it is out of date, or not valid yet"
	}
	return plain(err.Error())
}

// config returns the settings of a handshake of our own, which looks at the certificate and goes on whatever it is; the
// verdict is left in trust. They are those of pop3client.
func (p *prober) config(host, protocol string, trust *error) *tls.Config {
	return &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{protocol},
		InsecureSkipVerify: true, // VerifyConnection looks at it, and no secret goes over this connection
		VerifyConnection: func(state tls.ConnectionState) error {
			*trust = p.verify(&state, host)
			return nil
		},
	}
}

// verify tells whether the certificate is good for the host.
func (p *prober) verify(state *tls.ConnectionState, host string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	leaf := state.PeerCertificates[0]
	if len(p.opt.Pins) > 0 {
		if got := pop3client.PinOf(leaf); !slices.Contains(p.opt.Pins, got) {
			return &pop3client.PinError{Host: host, Got: got}
		}
		return nil
	}
	opts := x509.VerifyOptions{Roots: p.opt.RootCAs, DNSName: host, Intermediates: x509.NewCertPool(), CurrentTime: p.opt.Now()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	_, err := leaf.Verify(opts)
	return err
}

// handshake begins TLS on a connection.
func handshake(conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	secure := tls.Client(conn, config)
	if err := secure.Handshake(); err != nil { // the connection has a deadline
		return nil, err
	}
	return secure, nil
}

// plain makes a text of a stranger fit to be shown: one line of bounded length.
func plain(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most] + "..."
	}
	return pop3.Printable(strings.ToValidUTF8(s, "?"))
}
