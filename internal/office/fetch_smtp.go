package office

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/postamt/postamt/internal/collect"
	"github.com/postamt/postamt/internal/collect/sink"
	"github.com/postamt/postamt/internal/config"
	"github.com/postamt/postamt/internal/smtpclient"
	"github.com/postamt/postamt/pop3/pop3client"
)

// smtp translates a destination on an SMTP server.
func (b *builder) smtp(f *config.Fetch, d config.Destination) (collect.Sink, error) {
	host, _, err := net.SplitHostPort(d.Name)
	if err != nil {
		return nil, err
	}
	opt := smtpclient.Options{Addr: d.Name, LocalName: b.hostname, User: d.User, Security: smtpclient.StartTLS}
	if opt.TLS, err = smtpTrust(f, host); err != nil {
		return nil, err
	}
	ip := net.ParseIP(host)
	switch {
	case d.Kind == config.ToSMTPS:
		opt.Security = smtpclient.ImplicitTLS
	case opt.TLS == nil && (host == "localhost" || ip != nil && ip.IsLoopback()):
		opt.Security = smtpclient.Cleartext // nobody is on the way
	}
	if d.User != "" {
		if opt.Password, err = b.password(f.SMTPPassword, host, d.User); err != nil {
			return nil, err
		}
	}
	return sink.NewSMTP(sink.ServerOptions{Server: opt, To: d.Words})
}

// smtpTrust says who vouches for the server of a destination, nil for the system's authorities.
func smtpTrust(f *config.Fetch, host string) (*tls.Config, error) {
	if f.SMTPCA != "" {
		roots, err := authorities("smtp_ca", f.SMTPCA)
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, err
	}
	if len(f.SMTPPins) == 0 {
		return nil, nil
	}
	pins, err := parsePins(f.SMTPPins)
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // the pin is what counts
		VerifyConnection: func(state tls.ConnectionState) error {
			if got := pop3client.PinOf(state.PeerCertificates[0]); !slices.Contains(pins, got) {
				return &pop3client.PinError{Host: host, Got: got}
			}
			return nil
		},
	}, err
}

func parsePins(texts []string) (pins []pop3client.Pin, err error) {
	for _, text := range texts {
		pin, err := pop3client.ParsePin(text)
		if err != nil {
			return nil, err
		}
		pins = append(pins, pin)
	}
	return pins, nil
}

// authorities reads the file that a key of the configuration names.
func authorities(key, path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the certificates of authorities (%s) cannot be read: %w", key, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s (%s) has no certificate in it, it must be PEM", path, key)
	}
	return roots, nil
}
